// The origin servers: how each does and why, and what an operator does with it.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { Api, OriginOrder, OriginPool, Origins, OriginServer } from './api';
import * as f from './format';
import { originReason, originsWorst, originTone, reuseShare, siteWords, weightWords } from './model';
import { ReasonDialog } from './reason-dialog';
import { Sites } from './sites';

function State({ server }: { server: OriginServer }) {
  return <span class={`state tone-${originTone(server)}`}>{server.state}</span>;
}

function Since({ server, now }: { server: OriginServer; now: number }) {
  const since = server.since === null ? null : f.unixOf(server.since);
  return since === null || !Number.isFinite(now) ? (
    <></>
  ) : (
    <time dateTime={server.since ?? ''} title={f.utc(server.since ?? '')}>
      for {f.duration(now - since)}
    </time>
  );
}

// ---- what is done with a server ----

interface Order {
  pool: OriginPool;
  server: OriginServer;
  state: OriginOrder;
}

const ORDERS: Record<OriginOrder, { title: string; verb: string; note: string }> = {
  drain: {
    title: 'Drain',
    verb: 'Drain',
    note: 'What is under way is finished; only clients that are to stay with it still come.',
  },
  maintenance: {
    title: 'Maintenance',
    verb: 'Begin maintenance',
    note: 'What is under way is finished; nobody else is sent to it.',
  },
  up: { title: 'Up', verb: 'Put it back', note: 'It is asked again, and what was held against it is forgotten.' },
};

function OrderDialog({
  api,
  order,
  onClose,
  onDone,
}: {
  api: Api;
  order: Order;
  onClose: () => void;
  onDone: (said: string) => void;
}) {
  const { title, verb, note } = ORDERS[order.state];
  const name = `${order.pool.name}/${order.server.name}`;
  const empties = order.server.is_last && order.state !== 'up';

  return (
    <ReasonDialog
      title={title}
      subject={name}
      verb={verb}
      isGrave={empties}
      reasonMax={150}
      act={(reason) => api.originSet(order.pool.name, order.server.name, order.state, reason)}
      onClose={onClose}
      onDone={() => onDone(`${name}: ${order.state}`)}
    >
      <p>{note}</p>
      {empties && (
        <p class="warning" role="alert">
          No server of pool {order.pool.name} will be left: visitors will get stale copies, then 503.
        </p>
      )}
    </ReasonDialog>
  );
}

// The result of a check comes with the stream: it is there when its time is another one.
function CheckNow({
  api,
  pool,
  server,
  canOperate,
  onChange,
}: {
  api: Api;
  pool: OriginPool;
  server: OriginServer;
  canOperate: boolean;
  onChange: () => void;
}) {
  const [asked, setAsked] = useState<string | null>(null); // the time of the check before
  const [fault, setFault] = useState('');
  const last = server.last_check?.time ?? '';
  const busy = asked !== null && asked === last;
  useEffect(() => {
    if (!busy) {
      return undefined;
    }
    const timer = setTimeout(() => setAsked(null), 15_000);
    return () => clearTimeout(timer);
  }, [busy]);
  return (
    <>
      <button
        type="button"
        class="small"
        disabled={!canOperate || busy}
        aria-label={`${busy ? 'Checking…' : 'Check now'}: ${pool.name}/${server.name}`}
        onClick={() => {
          setAsked(last);
          setFault('');
          api.originCheck(pool.name, server.name).then(onChange, (error: Error) => {
            setAsked(null);
            setFault(error.message);
          });
        }}
      >
        {busy ? 'Checking…' : 'Check now'}
      </button>
      {fault !== '' && (
        <span class="inline-error" role="alert">
          {fault}
        </span>
      )}
    </>
  );
}

function ordersOf(server: OriginServer): OriginOrder[] {
  switch (server.state) {
    case 'drain':
      return ['up', 'maintenance'];
    case 'maintenance':
      return ['up', 'drain'];
    case 'ejected':
    case 'trial':
      return ['up', 'drain', 'maintenance'];
    default:
      return ['drain', 'maintenance'];
  }
}

// ---- one server ----

function LastCheck({ server, now }: { server: OriginServer; now: number }) {
  const check = server.last_check;
  if (check === null) {
    return <span class="note">{server.checks ? 'not yet' : 'none'}</span>;
  }
  const at = f.unixOf(check.time);
  return (
    <span title={`${check.detail}, ${f.utc(check.time)}`}>
      <span class={check.result === 'passed' ? '' : 'bad-text'}>{check.result}</span>
      <span class="note">
        {f.text(f.millis(check.ms))}
        {at !== null && `, ${f.duration(now - at)} ago`}
      </span>
    </span>
  );
}

function More({ server }: { server: OriginServer }) {
  const kinds = Object.entries(server.errors);
  const rows: [string, string][] = [
    ['requests', f.text(f.count(server.requests))],
    ['bytes', f.text(f.bytes(server.bytes))],
    ['connections made', f.text(f.count(server.connections_made))],
    ['reused', f.text(f.percent(reuseShare(server)))],
    ['ejected', f.plural(server.ejections, 'time')],
    ['addresses', server.addresses.join(', ') || f.NONE],
    ...kinds.map(([kind, n]): [string, string] => [kind.replace(/_/g, ' '), f.text(f.count(n))]),
  ];
  return (
    <details class="more">
      <summary>Figures since the start{kinds.length > 0 && ', errors by kind'}</summary>
      <dl class="facts">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {server.resolve_error !== '' && (
        <p class="inline-error">Its name cannot be looked up: {server.resolve_error}</p>
      )}
    </details>
  );
}

interface RowProps {
  api: Api;
  pool: OriginPool;
  server: OriginServer;
  now: number;
  canOperate: boolean;
  onOrder: (order: Order) => void;
  onChange: () => void;
}

function Row({ api, pool, server, now, canOperate, onOrder, onChange }: RowProps) {
  const reason = originReason(server);
  const p = (ms: number | null | undefined): string => f.text(f.millis(ms));
  return (
    <>
      <tr role="row">
        <th scope="row" role="rowheader" class="cell-server">
          {server.name}
          <span class="note url">{server.url}</span>
          {pool.servers.some((one) => one.weight !== 1) && <span class="note">{weightWords(pool, server)}</span>}
          {server.backup && <span class="note">backup</span>}
        </th>
        <td role="cell" data-label="state" class="cell-state">
          <State server={server} />{' '}
          <span class="note">
            <Since server={server} now={now} />
          </span>
          {reason !== '' && <span class="reason-text">{reason}</span>}
        </td>
        <td role="cell" data-label="requests" class="num" title={f.exact(server.requests)}>
          {f.text(f.rate(Math.round(server.requests_per_s * 10) / 10))}
        </td>
        <td
          role="cell"
          data-label="errors/min"
          class={`num ${server.errors_last_minute > 0 ? 'bad-text' : ''}`}
        >
          {f.exact(server.errors_last_minute)}
        </td>
        <td role="cell" data-label="first byte p50" class="num">
          {p(server.first_byte_p50_ms)}
        </td>
        <td role="cell" data-label="first byte p95" class="num">
          {p(server.first_byte_p95_ms)}
        </td>
        <td role="cell" data-label="active" class="num">
          {f.exact(server.active)}
          {server.max !== null && ` of ${f.exact(server.max)}`}
        </td>
        <td role="cell" data-label="last check" class="cell-check">
          <LastCheck server={server} now={now} />
        </td>
        <td role="cell" class="cell-orders">
          {ordersOf(server).map((state) => (
            <button
              key={state}
              type="button"
              class="small"
              disabled={!canOperate}
              aria-label={`${ORDERS[state].title} ${pool.name}/${server.name}`}
              onClick={() => onOrder({ pool, server, state })}
            >
              {ORDERS[state].title}…
            </button>
          ))}
          <CheckNow api={api} pool={pool} server={server} canOperate={canOperate} onChange={onChange} />
        </td>
      </tr>
      <tr role="row" class="row-more">
        <td role="cell" colSpan={9}>
          <More server={server} />
        </td>
      </tr>
    </>
  );
}

// ---- a pool ----

const HEADS: readonly [string, boolean][] = [
  ['Server', false],
  ['State', false],
  ['Requests', true],
  ['Errors/min', true],
  ['First byte p50', true],
  ['p95', true],
  ['Active', true],
  ['Last check', false],
];

function Queue({ pool }: { pool: OriginPool }) {
  const { queue } = pool;
  const refused = queue.refused_full + queue.refused_late;
  if (queue.waiting === 0 && queue.waited === 0 && refused === 0) {
    return null;
  }
  return (
    <p class="note pad">
      Queue: {f.exact(queue.waiting)} of {f.exact(queue.size)} waiting, {f.text(f.count(queue.waited))} have waited
      {queue.refused_full > 0 && `; ${f.text(f.count(queue.refused_full))} refused because it was full`}
      {queue.refused_late > 0 &&
        `; ${f.text(f.count(queue.refused_late))} refused after ${f.text(f.seconds(queue.timeout_s))}`}
    </p>
  );
}

function Retries({ pool }: { pool: OriginPool }) {
  if (pool.retries === 0 && pool.retries_refused === 0) {
    return null;
  }
  return (
    <p class="note pad">
      Retries: {f.text(f.count(pool.retries))} sent
      {pool.retries_refused > 0 && `, ${f.text(f.count(pool.retries_refused))} not, because of the budget`}
    </p>
  );
}

function Pool({ pool, ...row }: { pool: OriginPool } & Omit<RowProps, 'server'>) {
  const id = useId();
  return (
    <section class="panel" aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>{pool.name}</h2>
        <p class="note">
          {f.exact(pool.up)} of {f.plural(pool.servers.length, 'server')} may be asked, {pool.balance}
          {pool.sites.length > 0 && pool.sites.join() !== pool.name && ` · ${pool.sites.map((name) => siteWords(name) ?? name).join(', ')}`}
        </p>
      </header>
      {pool.warning !== '' && (
        <p class="warning" role="status">
          No server is left: visitors get stale copies, then 503.
        </p>
      )}
      <Queue pool={pool} />
      <Retries pool={pool} />
      <table class="cards" role="table" aria-labelledby={id}>
        <thead role="rowgroup">
          <tr role="row">
            {HEADS.map(([head, isNumber]) => (
              <th key={head} scope="col" role="columnheader" class={isNumber ? 'num' : ''}>
                {head === 'p95' ? (
                  <>
                    <span class="hidden">First byte </span>
                    {head}
                  </>
                ) : (
                  head
                )}
              </th>
            ))}
            <th scope="col" role="columnheader">
              <span class="hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody role="rowgroup">
          {pool.servers.map((server) => (
            <Row key={server.name} pool={pool} server={server} {...row} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface PageProps {
  api: Api;
  origins: Origins | null;
  now: number;
  active: boolean;
  canOperate: boolean;
  onChange: () => void;
}

export function OriginsPage({ api, origins, now, active, canOperate, onChange }: PageProps) {
  const [order, setOrder] = useState<Order | null>(null);
  const [said, setSaid] = useState('');
  const loaded = useRef(false);
  useEffect(() => {
    if (!loaded.current) {
      loaded.current = true;
      onChange();
    }
  }, []);
  return (
    <div class="origins-page">
      <h1 class="hidden">Origins</h1>
      <p class="hidden" role="status">
        {said}
      </p>
      {!canOperate && (
        <p class="note">Your token may look but not change anything here: it lacks the scope “admin”.</p>
      )}
      {origins === null && <div class="panel skeleton block" />}
      {origins !== null && origins.pools.length === 0 && <p class="blank">The configuration names no origins.</p>}
      {(origins?.pools ?? []).map((pool) => (
        <Pool
          key={pool.name}
          api={api}
          pool={pool}
          now={now}
          canOperate={canOperate}
          onOrder={setOrder}
          onChange={onChange}
        />
      ))}
      <Sites api={api} now={now} active={active} canOperate={canOperate} />
      {order !== null && (
        <OrderDialog
          api={api}
          order={order}
          onClose={() => setOrder(null)}
          onDone={(words) => {
            setOrder(null);
            setSaid(words);
            onChange();
          }}
        />
      )}
    </div>
  );
}

// ---- on the overview ----

const HEALTH_ROWS = 6;

export function OriginsHealth({ origins, now }: { origins: Origins | null; now: number }) {
  const id = useId();
  const all = originsWorst(origins);
  const more = all.length - HEALTH_ROWS;
  return (
    <section class="panel" aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>Origins</h2>
        <a href="#/origins">{more > 0 ? `All ${f.exact(all.length)}` : 'Details'}</a>
      </header>
      {origins === null && <div class="skeleton block" />}
      <ul class="health">
        {all.slice(0, HEALTH_ROWS).map(({ pool, server }) => (
          <li key={`${pool.name}/${server.name}`}>
            <span class="health-name">
              {pool.name}/{server.name}
            </span>
            <State server={server} />
            <span class="note health-p95">p95 {f.text(f.millis(server.first_byte_p95_ms))}</span>
            <span class="note health-why">
              <Since server={server} now={now} />
              {server.state !== 'up' && originReason(server) !== '' && `: ${originReason(server)}`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
