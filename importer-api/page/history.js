// The imports so far, or those that were searched for, newest first.

import { ApiError, json } from './api.js';
import { byId, element, show, showError } from './elements.js';
import { moment, number, text } from './texts.js';

const COUNTS = ['total', 'billed', 'skipped', 'invalid'];

export function history() {
  const table = byId('history');
  const body = byId('history-rows');
  const more = byId('history-more');
  const failure = byId('history-error');
  const search = byId('history-search');
  let next = null;
  // What the list was searched by.
  let query = '';

  const listed = (importId) => body.querySelector(`tr[data-import="${CSS.escape(importId)}"]`);

  const put = (seen) => {
    const row = rowOf(seen);
    const before = listed(seen.import_id);
    const focused = before?.contains(document.activeElement);
    if (before) before.replaceWith(row);
    else body.append(row);
    if (focused) row.querySelector('a').focus();
  };

  const shown = () => {
    table.hidden = body.rows.length === 0;
    show(byId('history-empty'), body.rows.length ? null : text(query ? 'history_none' : 'history_empty'));
    more.hidden = next === null;
    search.hidden = !query && body.rows.length === 0;
  };

  const load = async (path, retry) => {
    failure.hidden = true;
    const asked = query;
    try {
      let page = await json(path);
      // One look for what is rare may find nothing, and have others after it.
      while (asked === query && page.imports.length === 0 && page.next) page = await json(page.next);
      if (asked !== query) return 0;
      page.imports.forEach(put);
      next = page.next;
      shown();
      return page.imports.length;
    } catch (error) {
      // The form for the token says what is to be done about a 401.
      if (error.status !== 401) showError(failure, error instanceof ApiError ? error : new ApiError('other', 0), retry);
      return 0;
    }
  };

  const start = () => {
    body.replaceChildren();
    next = null;
    return load(`/v1/imports${query}`, start);
  };

  search.addEventListener('submit', (event) => {
    event.preventDefault();
    query = queryOf({
      file_name: byId('history-name').value.trim(),
      state: byId('history-in-state').value,
      accepted_from: beginOf(byId('history-from').value, 0),
      accepted_before: beginOf(byId('history-until').value, 1),
    });
    start();
  });

  more.addEventListener('click', async () => {
    const count = body.rows.length;
    if (await load(next)) body.rows[count]?.querySelector('a').focus();
  });

  return {
    load: start,
    /** Shows how far an import is; one that is not in the list is a new one. */
    update: (seen) => {
      if (query && !listed(seen.import_id)) return;
      const isNewest = !body.rows[0] || body.rows[0].dataset.import < seen.import_id;
      put(seen);
      if (isNewest) body.prepend(listed(seen.import_id));
      shown();
    },
  };
}

/** The search as a query; empty where nothing is searched for. */
function queryOf(wanted) {
  const given = Object.entries(wanted).filter(([, value]) => value);
  return given.length ? `?${new URLSearchParams(given)}` : '';
}

/** When a day begins for the reader, or the one that many days later. */
function beginOf(day, later) {
  if (!day) return null;
  const [year, month, date] = day.split('-').map(Number);
  const begin = new Date(year, month - 1, date + later);
  return Number.isNaN(begin.getTime()) ? null : begin.toISOString();
}

function rowOf(seen) {
  const state = element('span', { className: 'state', textContent: text(`state_${seen.state}`) });
  state.dataset.state = seen.state;
  const row = element(
    'tr', {},
    element(
      'th', { scope: 'row' },
      element('a', { href: `#${seen.import_id}`, textContent: seen.file_name ?? text('import_unnamed') }),
      element('time', { dateTime: seen.accepted_at, textContent: moment(seen.accepted_at) }),
    ),
    element('td', {}, state),
    ...COUNTS.map((name) => element(
      'td', { className: 'number' },
      element('span', { className: 'label', textContent: text(`count_${name}`) }),
      element('span', { textContent: number(seen.rows[name]) }),
    )),
  );
  row.dataset.import = seen.import_id;
  return row;
}
