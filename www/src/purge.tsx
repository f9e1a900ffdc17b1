// Purging by URL: the form, the dialog that shows first what would go and then what went, the history.
import type { ComponentChildren } from 'preact';
import { useCallback, useEffect, useId, useRef, useState } from 'preact/hooks';
import { Api, ApiError } from './api';
import type { Mode, Purge } from './api';
import * as f from './format';
import { purgeSentence, purgeVerb, urlsOf, whoOf } from './model';
import { Modal } from './parts';

const MODES: readonly { key: Mode; label: string; note: string }[] = [
  { key: 'soft', label: 'Soft', note: 'Mark stale. Visitors may get the old copy while it is fetched anew.' },
  { key: 'hard', label: 'Hard', note: 'Remove now. The next visitor waits for the origin.' },
];

function ModeChoice({
  mode,
  onChange,
  disabled = false,
}: {
  mode: Mode;
  onChange: (mode: Mode) => void;
  disabled?: boolean;
}) {
  const id = useId();
  return (
    <fieldset class="modes" disabled={disabled}>
      <legend>Mode</legend>
      {MODES.map(({ key, label, note }) => (
        <label key={key}>
          <input
            type="radio"
            name={`mode-${id}`}
            value={key}
            checked={mode === key}
            onChange={() => onChange(key)}
            aria-describedby={`${id}-${key}`}
          />
          <span class="mode-name">{label}</span>
          <span class="note" id={`${id}-${key}`}>
            {note}
          </span>
        </label>
      ))}
    </fieldset>
  );
}

// Where the server points at a URL of ours, the URL itself is named.
function faultText(error: unknown, urls: readonly string[]): string {
  if (error instanceof ApiError) {
    const name = (pointer = ''): string => {
      const at = /^\/select\/urls\/(\d+)$/.exec(pointer)?.[1];
      return at === undefined ? pointer : (urls[Number(at)] ?? pointer);
    };
    const fields = error.errors.map((e) => [name(e.pointer), e.message ?? e.detail].filter(Boolean).join(': '));
    return [error.detail === '' ? error.title : error.detail, ...fields].join(' ');
  }
  return String(error);
}

export interface PurgeOrder {
  urls: string[];
  mode: Mode;
  reason: string;
  askMode: boolean; // the mode was not chosen yet: ask in the dialog
}

type Stage =
  | { at: 'looking' }
  | { at: 'preview'; found: Purge }
  | { at: 'purging'; found: Purge }
  | { at: 'done'; done: Purge }
  | { at: 'fault'; text: string };

interface DialogProps {
  api: Api;
  order: PurgeOrder;
  storeBytes: number | null;
  onClose: () => void;
  onDone: (done: Purge) => void;
}

function UrlList({ urls }: { urls: string[] }) {
  const shown = urls.slice(0, 20);
  return (
    <div class="scroll url-list" tabIndex={0} role="region" aria-label="URLs">
      <ul>
        {shown.map((url) => (
          <li key={url}>{url}</li>
        ))}
        {urls.length > shown.length && <li class="note">and {f.exact(urls.length - shown.length)} more</li>}
      </ul>
    </div>
  );
}

function Facts({ rows }: { rows: [string, ComponentChildren, string?][] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value, title]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd title={title}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Preview({ found, storeBytes }: { found: Purge; storeBytes: number | null }) {
  if (found.matched === 0) {
    return (
      <>
        <p class="big">Nothing stored matches.</p>
        {(found.hints ?? []).length > 0 ? (
          <ul class="hints">
            {(found.hints ?? []).map((hint) => (
              <li key={hint}>{hint}</li>
            ))}
          </ul>
        ) : (
          <p class="note">Mind the scheme, the query and a slash at the end: each makes another URL.</p>
        )}
        {found.in_flight > 0 ? (
          <p>
            {f.plural(found.in_flight, 'fetch', 'fetches')} of it {found.in_flight === 1 ? 'is' : 'are'} under
            way; a purge covers these too.
          </p>
        ) : (
          <p class="note">A purge all the same would cover what is fetched at that moment.</p>
        )}
      </>
    );
  }
  const share = storeBytes !== null && storeBytes > 0 ? Math.min(1, found.bytes / storeBytes) : null;
  return (
    <>
      <p class="big">
        {f.plural(found.matched, 'object')}, {f.text(f.bytes(found.bytes))}
      </p>
      <Facts
        rows={[
          ['variants', f.exact(found.variants)],
          ['share of store', f.text(f.percent(share))],
          ['being fetched', f.exact(found.in_flight)],
        ]}
      />
      {(found.results ?? []).some((r) => r.matched === 0 || r.error !== undefined) && (
        <p class="note">
          Not stored:{' '}
          {(found.results ?? [])
            .filter((r) => r.matched === 0 || r.error !== undefined)
            .map((r) => r.url)
            .join(', ')}
        </p>
      )}
    </>
  );
}

function Done({ done }: { done: Purge }) {
  return (
    <div role="status">
      <p class="big">
        <span class="tick" aria-hidden="true">
          ✓
        </span>{' '}
        {purgeSentence(done)}
      </p>
      <Facts
        rows={[
          ['in force', f.when(done.effective_at, Date.now() / 1000), f.utc(done.effective_at)],
          ['variants', f.exact(done.variants)],
          ['being fetched', f.exact(done.in_flight)],
          ['id', <code>{done.id}</code>],
        ]}
      />
    </div>
  );
}

export function PurgeDialog({ api, order, storeBytes, onClose, onDone }: DialogProps) {
  const [mode, setMode] = useState(order.mode);
  const [stage, setStage] = useState<Stage>({ at: 'looking' });
  const asked = useRef(0);
  const end = useRef<HTMLButtonElement>(null);

  const look = useCallback(
    (wanted: Mode): void => {
      const mine = ++asked.current;
      setStage({ at: 'looking' });
      api.purge(order.urls, wanted, true, order.reason).then(
        (found) => mine === asked.current && setStage({ at: 'preview', found }),
        (error: unknown) => mine === asked.current && setStage({ at: 'fault', text: faultText(error, order.urls) }),
      );
    },
    [api, order],
  );
  useEffect(() => look(order.mode), [look]);
  useEffect(() => end.current?.focus(), [stage.at === 'done']);

  const purge = async (found: Purge): Promise<void> => {
    setStage({ at: 'purging', found });
    try {
      const done = await api.purge(order.urls, mode, false, order.reason);
      setStage({ at: 'done', done });
      onDone(done);
    } catch (error) {
      setStage({ at: 'fault', text: faultText(error, order.urls) });
    }
  };

  const found = stage.at === 'preview' || stage.at === 'purging' ? stage.found : null;
  const verb = found === null ? '' : found.matched > 0 ? purgeVerb(mode, found.matched) : 'Purge anyway';
  return (
    <Modal label="Purge" onClose={stage.at === 'purging' ? null : onClose}>
      <h2>{stage.at === 'done' ? 'Purged' : mode === 'soft' ? 'Soft purge' : 'Hard purge'}</h2>
      <UrlList urls={order.urls} />
      {stage.at !== 'done' && order.askMode && (
        <ModeChoice
          mode={mode}
          disabled={stage.at === 'purging'}
          onChange={(m) => {
            setMode(m);
            look(m);
          }}
        />
      )}
      <div class="dialog-body">
        {stage.at === 'looking' && <p class="big quiet-text">Counting…</p>}
        {found !== null && <Preview found={found} storeBytes={storeBytes} />}
        {found !== null && found.matched > 0 && !order.askMode && (
          <p class="note">{MODES.find((m) => m.key === mode)?.note}</p>
        )}
        {stage.at === 'done' && <Done done={stage.done} />}
        {stage.at === 'fault' && (
          <p class="inline-error" role="alert">
            {stage.text}
          </p>
        )}
      </div>
      <footer class="dialog-foot">
        <button type="button" ref={end} autofocus onClick={onClose} disabled={stage.at === 'purging'}>
          {stage.at === 'done' ? 'Close' : 'Cancel'}
        </button>
        {stage.at === 'fault' && (
          <button type="button" class="primary" onClick={() => look(mode)}>
            Try again
          </button>
        )}
        {stage.at === 'looking' && (
          <button type="button" class="primary" disabled>
            Counting…
          </button>
        )}
        {found !== null && (
          <button
            type="button"
            class={found.matched === 0 ? '' : mode === 'hard' ? 'danger' : 'primary'}
            disabled={stage.at === 'purging'}
            onClick={() => void purge(found)}
          >
            {stage.at === 'purging' ? 'Purging…' : verb}
          </button>
        )}
      </footer>
    </Modal>
  );
}

interface FormProps {
  canPurge: boolean;
  hosts: string[];
  onOrder: (order: PurgeOrder) => void;
}

function PurgeForm({ canPurge, hosts, onOrder }: FormProps) {
  const [text, setText] = useState('');
  const [mode, setMode] = useState<Mode>('soft');
  const [reason, setReason] = useState('');
  const [tried, setTried] = useState(false);
  const { urls, errors } = urlsOf(text);
  const faults = tried
    ? urls.length === 0 && errors.length === 0
      ? [{ line: 0, why: 'Write at least one URL.' }]
      : errors
    : [];
  const host = hosts.find((h) => /^[a-z0-9.-]+$/i.test(h)) ?? 'www.example.com';

  const submit = (event: Event): void => {
    event.preventDefault();
    setTried(true);
    if (urls.length > 0 && errors.length === 0) {
      onOrder({ urls, mode, reason: reason.trim(), askMode: false });
    }
  };

  return (
    <form class="panel purge-form" onSubmit={submit} noValidate aria-labelledby="purge-title">
      <header class="panel-head">
        <h2 id="purge-title">Purge by URL</h2>
      </header>
      {!canPurge && (
        <p class="note pad" role="note">
          Your token may look but not purge: it lacks the scope “purge”.
        </p>
      )}
      <fieldset class="plain" disabled={!canPurge}>
        <legend class="hidden">What to purge</legend>
        <label for="purge-urls">URLs, one a line</label>
        <textarea
          id="purge-urls"
          rows={4}
          spellcheck={false}
          autocapitalize="off"
          placeholder={`http://${host}/`}
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
          aria-invalid={faults.length > 0}
          aria-describedby={faults.length > 0 ? 'purge-faults' : 'purge-count'}
        />
        {faults.length > 0 ? (
          <div id="purge-faults" class="inline-error" role="alert">
            <ul>
              {faults.map((e) => (
                <li key={e.line}>
                  {e.line > 0 && `Line ${e.line}: `}
                  {e.why}
                </li>
              ))}
            </ul>
          </div>
        ) : (
          <p id="purge-count" class="note">
            {urls.length === 0 ? 'All variants of a URL go with it.' : f.plural(urls.length, 'URL')}
          </p>
        )}
        <ModeChoice mode={mode} onChange={setMode} disabled={!canPurge} />
        <label for="purge-reason">
          Reason <span class="note">(optional, kept in the history)</span>
        </label>
        <input
          id="purge-reason"
          type="text"
          maxLength={200}
          value={reason}
          onInput={(e) => setReason(e.currentTarget.value)}
          autocomplete="off"
        />
        <button type="submit" class="primary">
          Preview…
        </button>
      </fieldset>
    </form>
  );
}

interface HistoryProps {
  items: Purge[] | null;
  error: string;
  fresh: string; // id of the purge just made here
  onRetry: () => void;
}

function HistoryRow({ item, fresh }: { item: Purge; fresh: boolean }) {
  const urls =
    item.results !== undefined && item.results.length > 0 ? item.results.map((r) => r.url) : item.sample;
  const more = (item.urls ?? urls.length) - 1;
  return (
    <tr role="row" class={fresh ? 'fresh' : ''}>
      <td role="cell" data-label="time" title={f.utc(item.effective_at)} class="nowrap">
        {f.when(item.effective_at, Date.now() / 1000)}
      </td>
      <td role="cell" class="cell-url">
        <span class="url url-path" title={urls.join('\n')}>
          {urls[0] ?? f.NONE}
        </span>
        {(more > 0 || item.reason !== '') && (
          <span class="note">
            {[more > 0 ? `and ${f.exact(more)} more` : '', item.reason].filter(Boolean).join(' · ')}
          </span>
        )}
      </td>
      <td role="cell" data-label="mode">
        {item.mode}
        {item.dry_run && <span class="note">dry run</span>}
      </td>
      <td role="cell" data-label="objects" class="num">
        {f.exact(item.matched)}
      </td>
      <td role="cell" data-label="size" class="num" title={`${f.exact(item.bytes)} B`}>
        {f.text(f.bytes(item.bytes))}
      </td>
      <td role="cell" data-label="took" class="num">
        {f.text(f.seconds(item.took_s))}
      </td>
      <td role="cell" data-label="by" title={item.by}>
        {whoOf(item.by)}
      </td>
    </tr>
  );
}

// Every preview is a dry run, so these are kept out of sight until asked for.
function History({ items: all, error, fresh, onRetry }: HistoryProps) {
  const [dry, setDry] = useState(false);
  const items = all === null || dry ? all : all.filter((item) => !item.dry_run);
  return (
    <section class="panel" aria-labelledby="history-title">
      <header class="panel-head">
        <h2 id="history-title">History</h2>
        <button
          type="button"
          class="quiet"
          aria-pressed={dry}
          disabled={all === null}
          onClick={() => setDry(!dry)}
        >
          Dry runs
        </button>
      </header>
      {error !== '' && (
        <p class="inline-error" role="alert">
          The history could not be read: {error}{' '}
          <button type="button" class="small" onClick={onRetry}>
            Retry
          </button>
        </p>
      )}
      {items === null && error === '' && <div class="skeleton block" />}
      {items !== null && items.length === 0 && (
        <p class="blank">Nothing has been purged yet. Each purge will be listed here with what it removed.</p>
      )}
      {items !== null && items.length > 0 && (
        <table class="cards" role="table" aria-labelledby="history-title">
          <thead role="rowgroup">
            <tr role="row">
              {['Time', 'URL', 'Mode'].map((h) => (
                <th scope="col" role="columnheader" key={h}>
                  {h}
                </th>
              ))}
              {['Objects', 'Size', 'Took'].map((h) => (
                <th scope="col" role="columnheader" class="num" key={h}>
                  {h}
                </th>
              ))}
              <th scope="col" role="columnheader">
                By
              </th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            {items.slice(0, 100).map((item) => (
              <HistoryRow key={item.id} item={item} fresh={item.id === fresh} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

interface PageProps extends FormProps {
  api: Api;
  serial: number; // grows whenever a purge happened anywhere
  fresh: string;
}

export function PurgePage({ api, serial, fresh, ...form }: PageProps) {
  const [items, setItems] = useState<Purge[] | null>(null);
  const [error, setError] = useState('');
  const load = useCallback((): void => {
    api.purges().then(
      (list) => {
        setItems(list);
        setError('');
      },
      (e: Error) => setError(e.message),
    );
  }, [api]);
  useEffect(load, [load, serial]);
  return (
    <div class="purge-page">
      <h1 class="hidden">Purge</h1>
      <PurgeForm {...form} />
      <History items={items} error={error} fresh={fresh} onRetry={load} />
    </div>
  );
}
