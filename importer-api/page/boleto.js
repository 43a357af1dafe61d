// Finding the boleto of a debt.

import { ApiError, fetchWithToken, json } from './api.js';
import { announce, byId, element, fact, showError } from './elements.js';
import { day, money, number, text } from './texts.js';

export function boletoForm() {
  const failure = byId('boleto-error');
  const result = byId('boleto');
  const pdf = byId('boleto-pdf');
  const fail = (error) => showError(failure, error instanceof ApiError ? error : new ApiError('other', 0));
  let found = null;

  byId('boleto-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const debt = byId('boleto-debt').value.trim();
    failure.hidden = true;
    result.hidden = true;
    if (!debt) return;
    try {
      found = await json(`/v1/boletos/${encodeURIComponent(debt)}`);
    } catch (error) {
      fail(error);
      return;
    }
    byId('boleto-payer').textContent = found.payer.name;
    byId('boleto-facts').replaceChildren(...facts(found));
    byId('boleto-unregistered').hidden = found.registered;
    byId('boleto-copy-pix').hidden = !(found.pix && navigator.clipboard);
    byId('boleto-copy-line').hidden = !navigator.clipboard;
    pdf.href = found.pdf;
    result.hidden = false;
    byId('boleto-payer').focus();
  });
  fetchWithToken(pdf, () => `boleto-${found.our_number}.pdf`, fail);
  copies(byId('boleto-copy-line'), () => found.digitable_line);
  copies(byId('boleto-copy-pix'), () => found.pix);
}

function facts(found) {
  const shown = [
    fact(text('boleto_amount'), money(found.amount)),
    fact(text('boleto_due'), day(found.due_date)),
    fact(text('boleto_issued'), day(found.issued_on)),
    fact(text('boleto_line'), element('span', { className: 'code', textContent: found.digitable_line })),
    fact(text('boleto_our_number'), found.our_number),
    fact(text('boleto_beneficiary'), found.beneficiary.name),
    fact(text('boleto_email'), found.payer.email),
  ];
  if (found.import_id) {
    const link = element('a', { href: `#${found.import_id}`, textContent: text('boleto_import_row', { row: number(found.row) }) });
    shown.push(fact(text('boleto_import'), link));
  }
  return shown;
}

function copies(button, value) {
  const name = button.textContent;
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(value());
    button.textContent = text('copied');
    announce(text('copied'));
  });
  button.addEventListener('blur', () => {
    button.textContent = name;
  });
}
