// Finding the boleto of a debt.

import { ApiError, fetchWithToken, json } from './api.js';
import { announce, byId, element, fact, showError } from './elements.js';
import { readdressForm } from './readdress.js';
import { day, has, moment, money, number, text } from './texts.js';

export function boletoForm() {
  const failure = byId('boleto-error');
  const result = byId('boleto');
  const pdf = byId('boleto-pdf');
  const fail = (error) => showError(failure, error instanceof ApiError ? error : new ApiError('other', 0));
  let found = null;
  const show = (boleto) => {
    found = boleto;
    byId('boleto-facts').replaceChildren(...facts(boleto));
    showAddress(boleto);
  };
  const showAddress = readdressForm(show);

  byId('boleto-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const debt = byId('boleto-debt').value.trim();
    failure.hidden = true;
    result.hidden = true;
    if (!debt) return;
    try {
      show(await json(`/v1/boletos/${encodeURIComponent(debt)}`));
    } catch (error) {
      fail(error);
      return;
    }
    byId('boleto-payer').textContent = found.payer?.name ?? text('boleto_erased');
    pdf.hidden = !found.pdf;
    byId('boleto-unregistered').hidden = found.registered;
    byId('boleto-copy-pix').hidden = !(found.pix && navigator.clipboard);
    byId('boleto-copy-line').hidden = !navigator.clipboard;
    if (found.pdf) pdf.href = found.pdf;
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
    ...(found.payer ? [fact(text('boleto_email'), found.payer.email)] : []),
    fact(text('boleto_mail'), mail(found.mail)),
  ];
  const [change] = found.address_changes.slice(-1);
  if (change) shown.push(fact(text('boleto_readdressed'), moment(change.at)));
  if (found.import_id) {
    const link = element('a', { href: `#${found.import_id}`, textContent: text('boleto_import_row', { row: number(found.row) }) });
    shown.push(fact(text('boleto_import'), link));
  }
  return shown;
}

/** Whether the e-mail is sent, and why not. */
function mail({ state, code, reason }) {
  if (state !== 'undeliverable') return text(`boleto_mail_${state}`);
  const why = has(`reason_${code}`) ? text(`reason_${code}`) : reason;
  return text('boleto_mail_undeliverable', { why });
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
