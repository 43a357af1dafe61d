// The slips of an import, in archives of as many rows as the service puts into one.

import { fetchWithToken } from './api.js';
import { byId, element } from './elements.js';
import { number, text } from './texts.js';

const MOST_ROWS = 50_000;

export function slips(onError) {
  const whole = byId('slips-download');
  const parts = byId('slips');
  let shown = null;

  const clear = () => {
    shown = null;
    whole.hidden = true;
    parts.hidden = true;
  };

  const show = (importId, rows) => {
    if (shown === importId) return;
    shown = importId;
    const address = `/v1/imports/${importId}/boletos.zip`;
    const archives = [];
    for (let from = 1; from <= rows; from += MOST_ROWS) {
      archives.push(archive(address, from, Math.min(from + MOST_ROWS - 1, rows)));
    }
    whole.href = address;
    byId('slips-archives').replaceChildren(...archives);
    whole.hidden = archives.length > 1;
    parts.hidden = archives.length === 1;
  };

  const archive = (address, from, to) => {
    const link = element('a', {
      className: 'button',
      href: `${address}?from=${from}&to=${to}`,
      textContent: text('slips_rows', { from: number(from), to: number(to) }),
    });
    fetchWithToken(link, () => `boletos-${shown}-${from}-${to}.zip`, onError);
    return link;
  };

  fetchWithToken(whole, () => `boletos-${shown}.zip`, onError);
  return { show, clear };
}
