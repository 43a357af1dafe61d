// Puts the parts of the page together. The import that is open is in the
// address, so that it can be kept and sent to others.

import { token, whenUnauthorized } from './api.js';
import { boletoForm } from './boleto.js';
import { byId, show } from './elements.js';
import { history } from './history.js';
import { importCard } from './import.js';
import { text } from './texts.js';
import { uploadForm } from './upload.js';

const IMPORT = /^#([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

const past = history();
const card = importCard(past.update);

function openFromAddress() {
  const found = IMPORT.exec(location.hash);
  if (found) card.open(found[1]);
  else card.close();
}

addEventListener('hashchange', openFromAddress);
document.addEventListener('click', (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (link?.matches('.skip')) {
    // The address stays that of the import.
    event.preventDefault();
    byId('main').focus();
  } else if (link && link.hash === location.hash) {
    openFromAddress();
  }
});
uploadForm(({ import_id: importId }) => {
  if (location.hash === `#${importId}`) openFromAddress();
  else location.hash = importId;
});
boletoForm();

whenUnauthorized(() => {
  show(byId('token-error'), token.get() ? text('token_wrong') : null);
  token.forget();
  byId('forget-token').hidden = true;
  byId('token').hidden = false;
  byId('token-value').focus();
});
byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  token.set(byId('token-value').value.trim());
  byId('token-form').reset();
  byId('token').hidden = true;
  begin();
});
byId('forget-token').addEventListener('click', () => {
  token.forget();
  location.reload();
});
byId('other-language').addEventListener('click', (event) => {
  event.target.hash = location.hash;
});

async function begin() {
  byId('forget-token').hidden = token.get() === null;
  await past.load();
  openFromAddress();
}

begin();
