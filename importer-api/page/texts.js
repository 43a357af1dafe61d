// What the page says, in the language that the service chose for it, and
// numbers and times as the reader's locale writes them.

const texts = JSON.parse(document.getElementById('texts').textContent);

const language = texts.lang.split('-')[0];
const locale = navigator.languages.find((tag) => tag.split('-')[0] === language) ?? texts.lang;

const plurals = new Intl.PluralRules(locale);
const count = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const percentage = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 });
const reais = new Intl.NumberFormat(locale, { style: 'currency', currency: 'BRL' });
const instant = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' });
// A day has no time zone: it is the same day wherever it is read.
const calendarDay = new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeZone: 'UTC' });

const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte'];

/** Whether there is a text of that name. */
export const has = (key) => Object.hasOwn(texts, key);

/** A text with its `{gaps}` filled in. */
export function text(key, gaps = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (gap, name) => gaps[name] ?? gap);
}

export const number = (value) => count.format(value);
export const rate = (value) => (value < 10 ? oneDecimal : count).format(value);
export const money = (value) => reais.format(value);
export const moment = (iso) => instant.format(new Date(iso));
export const day = (iso) => calendarDay.format(new Date(iso));

/** A share of 0 to 1; only the whole is 100 %. */
export const percent = (share) => percentage.format(share < 1 ? Math.floor(share * 100) / 100 : 1);

/** `1 row`, `2,000 rows`. */
export function rows(value) {
  const key = plurals.select(value) === 'one' ? 'rows_one' : 'rows_other';
  return text(key, { count: number(value) });
}

/** Bytes as kB, MB or GB. */
export function size(bytes) {
  const step = bytes < 1000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), SIZES.length - 1);
  return new Intl.NumberFormat(locale, {
    style: 'unit', unit: SIZES[step], unitDisplay: step ? 'short' : 'long', maximumFractionDigits: step ? 1 : 0,
  }).format(bytes / 1000 ** step);
}

/** From one time to another, in the largest two units. */
export function duration(from, until) {
  const seconds = Math.max(0, (new Date(until) - new Date(from)) / 1000);
  const parts = seconds < 60
    ? [[seconds < 10 ? seconds : Math.round(seconds), 'second']]
    : seconds < 3600
      ? [[Math.floor(seconds / 60), 'minute'], [Math.floor(seconds % 60), 'second']]
      : [[Math.floor(seconds / 3600), 'hour'], [Math.floor(seconds / 60) % 60, 'minute']];
  return parts.map(([value, unit]) => new Intl.NumberFormat(locale, {
    style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 1,
  }).format(value)).join(' ');
}
