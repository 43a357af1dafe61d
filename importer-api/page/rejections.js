// The first rows of an import that somebody should look at.

import { json } from './api.js';
import { byId, element, show } from './elements.js';
import { has, number, text } from './texts.js';

const SHOWN = 5;

export function rejections() {
  const list = byId('rejections-list');
  let loaded = null;

  const clear = () => {
    loaded = null;
    byId('rejections').hidden = true;
    list.replaceChildren();
  };

  const load = async (importId) => {
    if (loaded === importId) return;
    loaded = importId;
    // The download is there without this, so an error is not worth a word.
    const found = await json(`/v1/imports/${importId}/rejections?limit=${SHOWN + 1}`, {
      headers: { Accept: 'application/json' },
    }).catch(() => ({ rejections: [] }));
    if (loaded !== importId) return;
    const shown = found.rejections.slice(0, SHOWN);
    list.replaceChildren(...shown.map(problemItem));
    const more = found.rejections.length > SHOWN;
    show(byId('rejections-title'), more ? text('rejections_first', { count: number(SHOWN) }) : text('rejections_title'));
    byId('rejections').hidden = shown.length === 0;
  };

  return { clear, load };
}

/** A row and what is wrong with it, as an item of a list. */
export function problemItem(rejection) {
  const where = rejection.line
    ? text('rejections_line', { line: number(rejection.line) })
    : text('rejections_row', { row: number(rejection.row) });
  const known = has(`reason_${rejection.code}`);
  return element(
    'li', {},
    element('span', { className: 'where', textContent: where }),
    known ? text(`reason_${rejection.code}`) : rejection.reason,
    element('span', { className: 'code', textContent: rejection.record ?? rejection.column ?? '' }),
  );
}
