// The question before something is done to a server or a site: what it means, the reason for it where one is
// kept, and why it could not be done.
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { Modal } from './parts';

export function ReasonDialog({
  title,
  subject,
  verb,
  isGrave,
  reasonMax,
  act,
  onClose,
  onDone,
  children,
}: {
  title: string;
  subject: string;
  verb: string;
  isGrave: boolean;
  reasonMax: number; // characters; 0: none is asked for
  act: (reason: string) => Promise<unknown>;
  onClose: () => void;
  onDone: () => void;
  children: ComponentChildren;
}) {
  const id = useId();
  const [reason, setReason] = useState('');
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState('');

  const submit = (event: Event): void => {
    event.preventDefault();
    setBusy(true);
    act(reason.trim()).then(onDone, (error: Error) => {
      setFault(error.message);
      setBusy(false);
    });
  };

  return (
    <Modal label={title} onClose={busy ? null : onClose}>
      <form onSubmit={submit}>
        <h2>
          {title}: {subject}
        </h2>
        {children}
        {reasonMax > 0 && (
          <div class="reason">
            <label for={id}>
              Reason <span class="note">(optional, shown beside the state)</span>
            </label>
            <input
              id={id}
              type="text"
              maxLength={reasonMax}
              value={reason}
              autofocus
              autocomplete="off"
              onInput={(e) => setReason(e.currentTarget.value)}
            />
          </div>
        )}
        {fault !== '' && (
          <p class="inline-error" role="alert">
            {fault}
          </p>
        )}
        <footer class="dialog-foot">
          <button type="button" onClick={onClose} disabled={busy}>
            Cancel
          </button>
          <button type="submit" class={isGrave ? 'danger' : 'primary'} disabled={busy}>
            {verb}
          </button>
        </footer>
      </form>
    </Modal>
  );
}
