// "Test a request": which rule would decide on a request that nobody has made.
import { useId, useState } from 'preact/hooks';
import { answerSentence, testFault } from './access-model';
import type { AccessAnswer, AccessQuestion, Api } from './api';
import { Segments } from './parts';

function Rule({ text, at }: { text: string | null; at: string | null }) {
  return (
    <>
      {text !== null && <span class="note url wrap">{text}</span>}
      {at !== null && <span class="note path">{at}</span>}
    </>
  );
}

function Answer({ answer }: { answer: AccessAnswer }) {
  const tone = answer.answer === 'allow' ? 'good' : answer.answer === 'deny' ? 'bad' : 'warn';
  return (
    <div class="test-answer">
      <p>
        <span class={`state tone-${tone}`}>{answerSentence(answer)}</span>
      </p>
      {answer.reason !== '' && <p>{answer.reason}</p>}
      <Rule text={answer.text} at={answer.at} />
      {answer.addresses.length > 0 && (
        <ul class="test-addresses" aria-label={`Addresses of ${answer.host}`}>
          {answer.addresses.map((one) => (
            <li key={one.address}>
              <code>{one.address}</code>{' '}
              <span class={one.answer === 'deny' ? 'bad-text' : 'note'}>
                {one.answer === 'deny' ? 'denied' : 'allowed'} by “{one.rule}”{one.reason !== '' && `: ${one.reason}`}
              </span>
            </li>
          ))}
        </ul>
      )}
      {answer.lookup !== '' && (
        <p class="note">
          Addresses of {answer.host}: {answer.lookup}.
        </p>
      )}
      {(answer.way ?? '') !== '' && <p class="note">Way: {answer.way}</p>}
      {answer.asks_response && <p class="note">A rule asks for the response: it is judged once more with it.</p>}
    </div>
  );
}

interface Props {
  api: Api;
  forwards: readonly string[];
  forward: string;
}

export function AccessTest({ api, forwards, forward }: Props) {
  const id = useId();
  const [client, setClient] = useState('');
  const [url, setUrl] = useState('');
  const [user, setUser] = useState('');
  const [of, setOf] = useState('');
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState('');
  const [answer, setAnswer] = useState<AccessAnswer | null>(null);
  const chosen = forward !== '' ? forward : forwards.includes(of) ? of : (forwards[0] ?? '');

  const ask = (event: Event): void => {
    event.preventDefault();
    const wrong = testFault(client, url);
    setAnswer(null);
    setFault(wrong ?? '');
    if (wrong !== null) {
      return;
    }
    const question: AccessQuestion = { client: client.trim(), url: url.trim(), forward: chosen };
    if (user.trim() !== '') {
      question.user = user.trim();
    }
    setBusy(true);
    api
      .accessTest(question)
      .then(setAnswer, (e: Error) => setFault(e.message))
      .finally(() => setBusy(false));
  };
  const field = (name: string, label: string, value: string, set: (text: string) => void, hint: string) => (
    <>
      <label for={`${id}-${name}`}>
        {label} <span class="note">{hint}</span>
      </label>
      <input
        id={`${id}-${name}`}
        type="text"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        value={value}
        onInput={(e) => set(e.currentTarget.value)}
      />
    </>
  );
  return (
    <section class="panel" aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>Test a request</h2>
      </header>
      <form class="plain" onSubmit={ask} noValidate>
        {forward === '' && forwards.length > 1 && (
          <Segments
            name="test-forward"
            legend="Forward proxy"
            items={forwards.map((name) => ({ key: name, label: name }))}
            value={chosen}
            onChange={setOf}
          />
        )}
        {field('client', 'Client', client, setClient, 'its address')}
        {field('url', 'URL', url, setUrl, 'or HOST:PORT for a tunnel')}
        {field('user', 'User', user, setUser, 'if one has signed in')}
        <button type="submit" class="primary" disabled={busy}>
          {busy ? 'Asking…' : 'Which rule decides?'}
        </button>
        <div role="status">{answer !== null && <Answer answer={answer} />}</div>
        {fault !== '' && (
          <p class="inline-error" role="alert">
            {fault}
          </p>
        )}
      </form>
    </section>
  );
}
