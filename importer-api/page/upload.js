// Choosing or dropping a file, and its way to the service.

import { ApiError, newKey, upload } from './api.js';
import { announce, byId, showError } from './elements.js';
import { percent, rows, size, text } from './texts.js';

const STEPS = ['choose', 'chosen', 'running'];

/** `onAccepted` is given the answer to each upload. */
export function uploadForm(onAccepted) {
  const input = byId('file');
  const drop = byId('drop');
  const failure = byId('upload-error');
  let chosen = null;
  let running = null;

  const step = (current) => {
    for (const name of STEPS) byId(`upload-${name}`).hidden = name !== current;
  };

  const choose = (file) => {
    // With its own key, a file that is sent again after a broken connection
    // is not imported twice.
    chosen = { file, key: newKey() };
    failure.hidden = true;
    byId('chosen-name').textContent = file.name;
    byId('chosen-size').textContent = size(file.size);
    step('chosen');
    byId('upload-start').focus();
  };

  const start = async () => {
    const { file, key } = chosen;
    running = new AbortController();
    failure.hidden = true;
    byId('upload-running-name').textContent = text('upload_running', { name: file.name });
    progress(0, file.size);
    step('running');
    byId('upload-stop').focus();
    announce(text('upload_begun', { name: file.name }));
    try {
      const accepted = await upload(file, key, progress, running.signal);
      reset();
      announce(accepted.replayed ? text('upload_replayed') : text('upload_accepted', { rows: rows(accepted.rows) }));
      onAccepted(accepted);
    } catch (error) {
      if (error instanceof ApiError) {
        step('chosen');
        byId('upload-start').focus();
        showError(failure, error);
      } else {
        reset();
        input.focus();
        announce(text('upload_stopped'));
      }
    }
  };

  const reset = () => {
    chosen = null;
    step('choose');
  };

  input.addEventListener('change', () => {
    if (input.files.length) choose(input.files[0]);
    // Otherwise the same file, once corrected, would be no change.
    input.value = '';
  });
  byId('upload-form').addEventListener('submit', (event) => {
    event.preventDefault();
    if (chosen) start();
  });
  byId('upload-stop').addEventListener('click', () => running.abort());
  byId('upload-other').addEventListener('click', () => {
    reset();
    failure.hidden = true;
    input.focus();
    input.click();
  });

  // A file that misses the zone must not replace the page.
  for (const name of ['dragover', 'drop']) {
    addEventListener(name, (event) => event.preventDefault());
  }
  drop.addEventListener('dragover', () => drop.classList.add('over'));
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  drop.addEventListener('drop', (event) => {
    drop.classList.remove('over');
    const { files } = event.dataTransfer;
    if (!byId('upload-running').hidden || files.length === 0) return;
    if (files.length > 1) showError(failure, { plain: text('upload_one') });
    else choose(files[0]);
  });
  addEventListener('beforeunload', (event) => {
    if (!byId('upload-running').hidden) event.preventDefault();
  });
}

function progress(sent, total) {
  const share = total ? sent / total : 1;
  const bar = byId('upload-progress');
  bar.value = share;
  byId('upload-figures').textContent = share < 1
    ? text('upload_figures', { percent: percent(share), sent: size(sent), total: size(total) })
    : text('upload_checking');
}
