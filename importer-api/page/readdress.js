// Sending the e-mail of a boleto to another address.

import { ApiError, json } from './api.js';
import { announce, byId, showError } from './elements.js';
import { text } from './texts.js';

/** `onChanged` is told of the boleto as it is then. */
export function readdressForm(onChanged) {
  const form = byId('readdress-form');
  const email = byId('readdress-email');
  const button = byId('readdress-send');
  const failure = byId('readdress-error');
  let debt = null;

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    failure.hidden = true;
    // Twice pressed is once changed.
    button.disabled = true;
    try {
      const changed = await json(`/v1/boletos/${encodeURIComponent(debt)}`, {
        method: 'PATCH',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email: email.value }),
      });
      announce(text('readdress_done', { email: changed.payer.email }));
      onChanged(changed);
    } catch (error) {
      showError(failure, error instanceof ApiError ? error : new ApiError('other', 0));
    } finally {
      button.disabled = false;
    }
  });

  /** Shows the address of a boleto that was found. */
  return (boleto) => {
    debt = boleto.debt_id;
    form.hidden = !boleto.payer;
    byId('readdress-hint').hidden = !boleto.payer;
    email.value = boleto.payer?.email ?? '';
    failure.hidden = true;
  };
}
