// The imports so far, newest first.

import { ApiError, json } from './api.js';
import { byId, element, showError } from './elements.js';
import { moment, number, text } from './texts.js';

const COUNTS = ['total', 'billed', 'skipped', 'invalid'];

export function history() {
  const table = byId('history');
  const body = byId('history-rows');
  const more = byId('history-more');
  const failure = byId('history-error');
  let next = null;

  const put = (seen) => {
    const row = rowOf(seen);
    const before = body.querySelector(`tr[data-import="${CSS.escape(seen.import_id)}"]`);
    const focused = before?.contains(document.activeElement);
    if (before) before.replaceWith(row);
    else body.append(row);
    if (focused) row.querySelector('a').focus();
  };

  const shown = () => {
    table.hidden = body.rows.length === 0;
    byId('history-empty').hidden = body.rows.length > 0;
    more.hidden = next === null;
  };

  const load = async (path, retry) => {
    failure.hidden = true;
    try {
      const page = await json(path);
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
    return load('/v1/imports', start);
  };

  more.addEventListener('click', async () => {
    const count = body.rows.length;
    if (await load(next)) body.rows[count]?.querySelector('a').focus();
  });

  return {
    load: start,
    /** Shows how far an import is; one that is not in the list is a new one. */
    update: (seen) => {
      const isNewest = !body.rows[0] || body.rows[0].dataset.import < seen.import_id;
      put(seen);
      if (isNewest) body.prepend(body.querySelector(`tr[data-import="${CSS.escape(seen.import_id)}"]`));
      shown();
    },
  };
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
