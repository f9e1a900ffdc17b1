// What was denied, newest first and live, by rule, client or host.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { denialsMerge, denialTarget } from './access-model';
import type { Api, Denial, DenialFilter } from './api';
import * as f from './format';
import { usePolled } from './parts';

const REFRESH_MS = 2_000;
const PAGE = 20;
const MOST = 200; // rows at once

type Filter = Omit<DenialFilter, 'forward'>;

interface Props {
  api: Api;
  forward: string;
  many: boolean; // of several forward proxies
  filter: Filter;
  rules: readonly string[];
  now: number;
  active: boolean;
  onFilter: (filter: Filter) => void;
}

function Row({ denial, many, now }: { denial: Denial; many: boolean; now: number }) {
  const { host, path } = denialTarget(denial);
  return (
    <tr role="row">
      <td role="cell" data-label="time" class="nowrap">
        <time dateTime={denial.time} title={f.utc(denial.time)}>
          {f.when(denial.time, now)}
        </time>
        <span class="note reference" title="The reference on the page that the client saw; request_id in the log">
          {denial.request_id}
        </span>
      </td>
      <td role="cell" data-label="client" class="cell-who">
        {denial.client}
        {denial.user !== '' && <span class="note">{denial.user}</span>}
      </td>
      <th scope="row" role="rowheader" class="cell-url">
        <span class="url" title={`${denial.method} ${host}${path}`}>
          <span class="url-host">
            {denial.method} {host}
          </span>
          <span class="url-path">{path}</span>
        </span>
      </th>
      <td role="cell" data-label="rule" class="cell-reason">
        <span class="rule-name">{denial.rule}</span>
        {many && <span class="note"> {denial.forward}</span>}
        {denial.reason !== '' && <span class="note">{denial.reason}</span>}
      </td>
    </tr>
  );
}

const TYPING_MS = 300;

// What is typed counts when the typing pauses; the page is drawn anew meanwhile, and must not take it away.
function TypedField({ label, value, onValue }: { label: string; value: string; onValue: (text: string) => void }) {
  const id = useId();
  const [text, setText] = useState(value);
  // What comes back of our own words is older than what was typed since; others' is a filter set elsewhere.
  const said = useRef(value);
  useEffect(() => {
    if (value !== said.current) {
      said.current = value;
      setText(value);
    }
  }, [value]);
  useEffect(() => {
    if (text.trim() === value) {
      return undefined;
    }
    const timer = setTimeout(() => {
      said.current = text.trim();
      onValue(said.current);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, value]);
  return (
    <>
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        value={text}
        onInput={(e) => setText(e.currentTarget.value)}
      />
    </>
  );
}

function FilterBar({ filter, rules, onFilter }: Pick<Props, 'filter' | 'rules' | 'onFilter'>) {
  const id = useId();
  const known = filter.rule === '' || rules.includes(filter.rule) ? rules : [filter.rule, ...rules];
  return (
    <form class="filter-bar" onSubmit={(e) => e.preventDefault()} role="search" aria-label="Denials">
      <label for={`${id}-rule`}>Rule</label>
      <select
        id={`${id}-rule`}
        value={filter.rule}
        onChange={(e) => onFilter({ ...filter, rule: e.currentTarget.value })}
      >
        <option value="">any</option>
        {[...new Set(known)].map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <TypedField label="Client" value={filter.client} onValue={(client) => onFilter({ ...filter, client })} />
      <TypedField label="Host" value={filter.host} onValue={(host) => onFilter({ ...filter, host })} />
    </form>
  );
}

// Older pages, asked for one after another; those that come live stay in front.
function useDenials({ api, forward, filter, active }: Props) {
  const asked: DenialFilter = { ...filter, forward };
  const key = JSON.stringify(asked);
  const { data, error } = usePolled(() => api.denials(asked, PAGE, null), REFRESH_MS, active, key);
  const [older, setOlder] = useState<{ key: string; items: Denial[]; next: string | null; fault: string } | null>(null);
  const mine = older !== null && older.key === key ? older : null;
  useEffect(() => setOlder(null), [key]);
  const items = data === null ? null : denialsMerge(mine?.items ?? [], data.items, MOST);
  const next = mine === null ? (data?.next ?? null) : mine.next;
  const more = (): void => {
    api.denials(asked, PAGE, next).then(
      (page) => setOlder({ key, items: [...(mine?.items ?? []), ...(items ?? []), ...page.items], next: page.next, fault: '' }),
      (e: Error) => setOlder({ key, items: mine?.items ?? [], next, fault: e.message }),
    );
  };
  return { items, seen: data?.seen ?? 0, next, more, error: error === '' ? (mine?.fault ?? '') : error };
}

export function Denials(props: Props) {
  const id = useId();
  const { items, seen, next, more, error } = useDenials(props);
  const { filter, many, now } = props;
  const isFiltered = filter.rule !== '' || filter.client !== '' || filter.host !== '';
  return (
    <section class="panel" aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>Denials</h2>
        {items !== null && <p class="note">{f.exact(seen)} since the start</p>}
        <FilterBar filter={filter} rules={props.rules} onFilter={props.onFilter} />
      </header>
      {error !== '' && (
        <p class="inline-error" role="alert">
          The denials could not be read: {error}
        </p>
      )}
      {items === null && error === '' && <div class="skeleton block" />}
      {items !== null && items.length === 0 && (
        <p class="blank">{isFiltered ? 'Nothing like this was denied lately.' : 'Nothing was denied so far.'}</p>
      )}
      {items !== null && items.length > 0 && (
        <>
          <table class="cards denials" role="table" aria-labelledby={id}>
            <thead role="rowgroup">
              <tr role="row">
                <th scope="col" role="columnheader">
                  Time
                </th>
                <th scope="col" role="columnheader">
                  Client, user
                </th>
                <th scope="col" role="columnheader">
                  Request
                </th>
                <th scope="col" role="columnheader">
                  Rule, reason
                </th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {items.map((denial) => (
                <Row key={denial.id} denial={denial} many={many} now={now} />
              ))}
            </tbody>
          </table>
          {next !== null && items.length < MOST && (
            <p class="pad more-row">
              <button type="button" class="small" onClick={more}>
                Older denials
              </button>
            </p>
          )}
        </>
      )}
    </section>
  );
}
