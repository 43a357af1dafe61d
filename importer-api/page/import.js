// One import: how far it is, and what may be done about it.

import { ApiError, fetchWithToken, json } from './api.js';
import { announce, byId, element, show, showError } from './elements.js';
import { follow } from './events.js';
import { reasons } from './reasons.js';
import { rejections } from './rejections.js';
import { slips } from './slips.js';
import { duration, moment, number, percent, rate, rows, size, text } from './texts.js';

const ALWAYS = ['total', 'billed', 'skipped', 'invalid', 'pending', 'mailed'];
const LISTS = ['results', 'rejections'];
// Nothing of it moves by itself for a while.
const RESTS = ['waiting', 'stalled'];
const WHERE_ANY = ['not_sent', 'put_off', 'undeliverable'];

/** `onImport` is told of each change of the import that is open. */
export function importCard(onImport) {
  const card = byId('import');
  const failure = byId('import-error');
  const title = byId('import-name');
  const preview = rejections();
  let open = null;

  const fail = (error) => showError(failure, error instanceof ApiError ? error : new ApiError('other', 0));
  const archives = slips(fail);
  // The reason whose e-mails are sent again; null for all.
  let again = null;
  const ask = (reason) => {
    again = reason;
    byId('reopen-text').textContent = reason
      ? text('reopen_text_reason', { mails: number(reason.rows) })
      : text('reopen_text');
    byId('confirm-reopen').showModal();
  };
  const why = reasons(ask);

  const render = (seen) => {
    const shown = seen.rows;
    const done = shown.billed + shown.skipped + shown.invalid;
    title.textContent = seen.file_name ?? text('import_unnamed');
    const state = byId('import-state');
    state.textContent = text(`state_${seen.state}`);
    state.dataset.state = seen.state;
    byId('import-times').textContent = times(seen);
    byId('import-advice').textContent = text(`advice_${seen.state}`, {
      mails: number(shown.put_off), time: seen.put_off ? moment(seen.put_off.first_try_at) : '',
    });
    gauge('import-progress', done, shown.total - shown.not_sent, seen.over);
    byId('import-figures').textContent = text(seen.rows_per_second > 0 ? 'import_figures_rate' : 'import_figures', {
      done: number(done), total: number(shown.total - shown.not_sent), rate: rate(seen.rows_per_second),
    });
    const settled = shown.mailed + shown.undeliverable;
    gauge('mail-progress', settled, shown.billed, seen.over);
    byId('mail-figures').textContent = text('import_figures', { done: number(settled), total: number(shown.billed) });
    byId('import-counts').replaceChildren(...counts(seen));
    const rejected = shown.invalid + shown.undeliverable;
    const isErased = Boolean(seen.erasure);
    byId('import-erase').hidden = !seen.over || isErased;
    show(byId('import-erasure'), erasure(seen));
    byId('results-download').hidden = done === 0 || isErased;
    if (isErased) archives.clear();
    else if (shown.billed > 0) archives.show(seen.import_id, shown.total);
    // Conflicts are among the skipped rows, and not counted.
    byId('rejections-download').hidden = rejected + shown.skipped === 0;
    byId('import-cancel').hidden = seen.over || Boolean(seen.sent_at ?? seen.cancelled_at ?? seen.failure);
    byId('import-reconcile').hidden = isErased || !(seen.state === 'stalled' && seen.sent_at);
    byId('import-reopen').hidden = isErased || !(shown.undeliverable > 0 && seen.sent_at);
    tell(seen, done);
    if (seen.over && rejected + shown.skipped > 0) preview.load(seen.import_id);
    if (RESTS.includes(seen.state) || seen.over) why.load(seen.import_id, `${rejected} ${shown.put_off}`);
    onImport(seen);
  };

  const tell = (seen, done) => {
    const quarter = Math.floor((done / Math.max(seen.rows.total, 1)) * 4);
    if (seen.state !== open.state && (open.state || seen.over)) announce(text(`state_${seen.state}`));
    else if (quarter > open.quarter && !seen.over) announce(text('import_announcement', { percent: percent(quarter / 4) }));
    open.state = seen.state;
    open.quarter = quarter;
  };

  const close = () => {
    open?.following.abort();
    open = null;
    card.hidden = true;
  };

  const start = async (importId) => {
    close();
    const following = new AbortController();
    open = { importId, following, state: null, quarter: 0 };
    failure.hidden = true;
    byId('import-done').hidden = true;
    byId('import-counts').replaceChildren();
    for (const id of ['import-times', 'import-advice', 'import-figures', 'mail-figures', 'import-state']) byId(id).textContent = '';
    for (const id of ['results-download', 'rejections-download', 'import-cancel', 'import-reconcile', 'import-reopen', 'import-erase', 'import-erasure']) byId(id).hidden = true;
    gauge('import-progress', 0, 0, false);
    gauge('mail-progress', 0, 0, false);
    preview.clear();
    archives.clear();
    why.clear();
    for (const list of LISTS) byId(`${list}-download`).href = `/v1/imports/${importId}/${list}`;
    title.textContent = text('import_loading');
    card.hidden = false;
    title.focus();
    title.scrollIntoView({ block: 'nearest' });
    try {
      await follow(importId, {
        signal: following.signal,
        onImport: (seen) => {
          if (!following.signal.aborted) render(seen);
        },
        onConnection: (is) => show(byId('import-connection'), is ? null : text('import_reconnecting')),
      });
    } catch (error) {
      if (!following.signal.aborted) fail(error);
    }
  };

  const post = (action, button) => change(`/${action}`, 'POST', button);

  const change = async (route, method, button) => {
    button.disabled = true;
    failure.hidden = true;
    try {
      return await json(`/v1/imports/${open.importId}${route}`, { method });
    } catch (error) {
      fail(error);
      return null;
    } finally {
      button.disabled = false;
    }
  };

  byId('import-cancel').addEventListener('click', () => byId('confirm').showModal());
  byId('import-reopen').addEventListener('click', () => ask(null));
  byId('import-erase').addEventListener('click', () => byId('confirm-erase').showModal());
  confirmed('confirm', async () => {
    const cancelled = await post('cancel', byId('import-cancel'));
    if (!cancelled) return;
    render(cancelled);
    show(byId('import-done'), text('cancelled'));
    title.focus();
  });
  confirmed('confirm-reopen', async () => {
    const opened = await post(again ? `reopen?code=${again.code}` : 'reopen', byId('import-reopen'));
    if (!opened) return;
    // Its events have ended, and begin anew.
    start(open.importId);
    show(byId('import-done'), text('reopened', { mails: number(opened.reopened) }));
  });
  confirmed('confirm-erase', async () => {
    // Its events tell when it is done.
    if (await change('', 'DELETE', byId('import-erase'))) start(open.importId);
  });
  byId('import-reconcile').addEventListener('click', async (event) => {
    const sent = await post('reconcile', event.target);
    if (!sent) return;
    const again = sent.without_outcome + sent.not_notified + sent.not_mailed;
    show(byId('import-done'), again ? text('reconciled', { rows: rows(again) }) : text('reconciled_none'));
  });
  for (const list of LISTS) fetchWithToken(byId(`${list}-download`), () => `${list}-${open.importId}.csv`, fail);

  return { open: start, close };
}

/** Does `then` once a yes was given in the dialog. */
function confirmed(dialog, then) {
  const asked = byId(dialog);
  asked.addEventListener('close', () => {
    if (asked.returnValue !== 'yes') return;
    asked.returnValue = '';
    then();
  });
}

/** At the end, nothing of nothing is all: skipped rows have no e-mail to be sent. */
function gauge(id, done, of, isOver) {
  const bar = byId(id);
  bar.max = Math.max(of, 1);
  bar.value = isOver ? bar.max : done;
}

/** Whether its personal data is removed. */
function erasure(seen) {
  if (!seen.erasure) return null;
  const { erased_at: erasedAt } = seen.erasure;
  return erasedAt ? text('erased', { time: moment(erasedAt) }) : text('erasing');
}

function times(seen) {
  const gaps = { size: size(seen.size), accepted: moment(seen.accepted_at) };
  return seen.finished_at
    ? text('import_times_over', { ...gaps, duration: duration(seen.accepted_at, seen.finished_at) })
    : text('import_times_going', gaps);
}

function counts(seen) {
  const shown = seen.rows;
  const names = [...ALWAYS, ...WHERE_ANY.filter((name) => shown[name] > 0)];
  const cells = names.map((name) => (
    count(name, text(`count_${name}`), shown[name], name === 'total' ? null : text(`about_${name}`))
  ));
  // What a channel other than e-mail has sent.
  const channels = Object.entries(seen.channels ?? {}).map(([channel, { sent, undeliverable }]) => (
    count(channel, channel.toUpperCase(), sent, text('about_channel', { undeliverable: number(undeliverable) }))
  ));
  return [...cells, ...channels];
}

function count(name, title, value, about) {
  const cell = element(
    'div', {},
    element('dt', { textContent: title }),
    element('dd', { className: 'value', textContent: number(value) }),
    ...(about === null ? [] : [element('dd', { className: 'about', textContent: about })]),
  );
  cell.dataset.count = name;
  return cell;
}
