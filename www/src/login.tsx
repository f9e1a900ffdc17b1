// Coming in: a pasted token, or a one-time code from the address bar.
import { useState } from 'preact/hooks';
import { Api, ApiError } from './api';
import type { Session } from './api';
import * as f from './format';
import { Mark, Modal } from './parts';

// Takes the code out of the address bar, so that it stays in no history and no copied address.
export function codeTake(): string | null {
  const found = /^#login=([^&]+)$/.exec(location.hash);
  if (found === null) {
    return null;
  }
  history.replaceState(null, '', `${location.pathname}${location.search}`);
  try {
    return decodeURIComponent(found[1] ?? '');
  } catch {
    return found[1] ?? '';
  }
}

export function loginFault(error: unknown, withCode: boolean): string {
  if (!(error instanceof ApiError)) {
    return String(error);
  }
  if (error.status === 429) {
    const wait = error.retryAfter === null ? 'in a minute' : `in ${f.duration(error.retryAfter)}`;
    return `Too many failed logins from this address. Try again ${wait}.`;
  }
  if (error.status === 401) {
    return withCode
      ? 'This login link has been used or is older than 5 minutes. Ask for a new one, or paste a token.'
      : 'This token is not known here.';
  }
  return error.detail === '' ? error.title : `${error.title}. ${error.detail}`;
}

interface FormProps {
  api: Api;
  fault: string;
  onSession: (session: Session) => void;
}

function LoginForm({ api, fault, onSession }: FormProps) {
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(fault);

  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (token.trim() === '') {
      setError('Paste a token first.');
      return;
    }
    setBusy(true);
    try {
      onSession(await api.login({ token: token.trim() }));
    } catch (e) {
      setError(loginFault(e, false));
      setBusy(false);
    }
  };

  return (
    <form class="login-form" onSubmit={submit} noValidate>
      <input
        type="text"
        name="username"
        autocomplete="username"
        value="larder"
        class="hidden"
        tabIndex={-1}
        aria-hidden="true"
        readOnly
      />
      <label for="token">Token</label>
      <input
        id="token"
        type="password"
        name="token"
        autocomplete="current-password"
        spellcheck={false}
        value={token}
        onInput={(e) => setToken(e.currentTarget.value)}
        autofocus
        aria-invalid={error !== ''}
        aria-describedby={error === '' ? 'token-help' : 'token-fault token-help'}
      />
      {error !== '' && (
        <p id="token-fault" class="inline-error" role="alert">
          {error}
        </p>
      )}
      <button type="submit" class="primary" disabled={busy}>
        {busy ? 'Signing in…' : 'Sign in'}
      </button>
      <p id="token-help" class="note">
        Run <code>larder dashboard</code> on the host: it prints a login link that needs no token. Or paste
        the token that the first start showed on the terminal.
      </p>
    </form>
  );
}

export function LoginPage({ api, fault, onSession }: FormProps) {
  return (
    <main class="login">
      <div class="panel login-panel">
        <h1>
          <Mark /> Larder
        </h1>
        <p class="login-host">{location.host}</p>
        <LoginForm api={api} fault={fault} onSession={onSession} />
      </div>
    </main>
  );
}

// Over the page, whose state is kept: it goes on where it was.
export function SessionEnded({ api, onSession }: Omit<FormProps, 'fault'>) {
  return (
    <Modal label="Session ended" onClose={null}>
      <h2>Your session has ended</h2>
      <p>Sign in again to go on where you were. What is behind this was true until then.</p>
      <LoginForm api={api} fault="" onSession={onSession} />
    </Modal>
  );
}
