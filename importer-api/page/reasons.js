// Why rows of an import need attention, and how many they are.

import { json } from './api.js';
import { byId, element } from './elements.js';
import { has, rows, text } from './texts.js';

/** `onAgain` is told of a reason whose e-mails are to be sent again. */
export function reasons(onAgain) {
  const list = byId('reasons-list');
  let loaded = null;

  const clear = () => {
    loaded = null;
    byId('reasons').hidden = true;
    list.replaceChildren();
  };

  // `counts` is another text whenever there may be other reasons.
  const load = async (importId, counts) => {
    const key = `${importId} ${counts}`;
    if (loaded === key) return;
    loaded = key;
    // The counts are there without this, so an error is not worth a word.
    const found = await json(`/v1/imports/${importId}/reasons`).catch(() => ({ reasons: [] }));
    if (loaded !== key) return;
    list.replaceChildren(...found.reasons.map(item));
    byId('reasons').hidden = found.reasons.length === 0;
  };

  const item = (reason) => {
    const known = has(`reason_${reason.code}`);
    const words = known ? text(`reason_${reason.code}`) : reason.reason;
    const parts = [
      element('span', { className: 'where', textContent: words }),
      text(`reasons_${reason.outcome}`, { rows: rows(reason.rows) }),
    ];
    if (reason.outcome === 'undeliverable') {
      const again = element('button', { type: 'button', className: 'quiet', textContent: text('reasons_again') });
      again.setAttribute('aria-label', `${text('reasons_again')}: ${words}`);
      again.addEventListener('click', () => onAgain(reason));
      parts.push(' ', again);
    }
    return element('li', {}, ...parts);
  };

  return { load, clear };
}
