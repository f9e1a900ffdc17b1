// The URLs that cost or bring the most, each with a way to purge it.
import { useId, useState } from 'preact/hooks';
import type { Api, Top, TopBy, TopItem } from './api';
import * as f from './format';
import { Segments, usePolled } from './parts';

const BY: readonly { key: TopBy; label: string }[] = [
  { key: 'requests', label: 'Requests' },
  { key: 'misses', label: 'Misses' },
  { key: 'bytes', label: 'Bytes' },
];
const REFRESH_MS = 5_000;

interface Props {
  api: Api;
  live: Top | null; // what the stream brings: by requests
  active: boolean;
  canPurge: boolean;
  onPurge: (url: string) => void;
}

// Other orders than the stream's are asked for while they are shown.
function useTop(api: Api, by: TopBy, live: Top | null, active: boolean): { top: Top | null; error: string } {
  const streamed = live !== null && live.by === by;
  const { data, error } = usePolled(() => api.top(by), REFRESH_MS, active && !streamed, by);
  return streamed ? { top: live, error: '' } : { top: data, error };
}

function UrlText({ url }: { url: string }) {
  const split = /^(https?:\/\/[^/]+)(.*)$/.exec(url);
  return (
    <span class="url" title={url}>
      <span class="url-host">{split?.[1] ?? ''}</span>
      <span class="url-path">{split?.[2] ?? url}</span>
    </span>
  );
}

function Row({
  item,
  most,
  by,
  canPurge,
  onPurge,
}: {
  item: TopItem;
  most: number;
  by: TopBy;
  canPurge: boolean;
  onPurge: (url: string) => void;
}) {
  const looked = item.hits + item.misses;
  const share = most > 0 ? item[by] / most : 0;
  return (
    <tr role="row">
      <th scope="row" role="rowheader" class="cell-url">
        <UrlText url={item.url} />
        <svg class="meter" viewBox="0 0 100 2" preserveAspectRatio="none" aria-hidden="true">
          <rect width={share * 100} height="2" />
        </svg>
      </th>
      <td role="cell" class="num" data-label="requests" title={f.exact(item.requests)}>
        {f.text(f.count(item.requests))}
      </td>
      <td role="cell" class="num" data-label="hit ratio">
        {f.text(f.percent(looked > 0 ? item.hits / looked : null))}
      </td>
      <td role="cell" class="num" data-label="misses" title={f.exact(item.misses)}>
        {f.text(f.count(item.misses))}
      </td>
      <td role="cell" class="num" data-label="bytes" title={`${f.exact(item.bytes)} B`}>
        {f.text(f.bytes(item.bytes))}
      </td>
      <td role="cell" class="cell-action">
        <button
          type="button"
          class="small"
          disabled={!canPurge}
          onClick={() => onPurge(item.url)}
          aria-label={`Purge ${item.url}`}
        >
          Purge…
        </button>
      </td>
    </tr>
  );
}

export function TopUrls({ api, live, active, canPurge, onPurge }: Props) {
  const id = useId();
  const [by, setBy] = useState<TopBy>('requests');
  const { top, error } = useTop(api, by, live, active);
  const most = top === null ? 0 : Math.max(0, ...top.items.map((i) => i[by]));
  return (
    <section class="panel" aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>Top URLs</h2>
        {top !== null && (
          <p class="note">
            last {f.duration(top.window_s)}
            {top.error_bound > 0 && `, ±${f.text(f.count(top.error_bound))}`}
          </p>
        )}
        <Segments name="top-by" legend="Order by" items={BY} value={by} onChange={setBy} />
      </header>
      {!canPurge && <p class="note pad">Your token may look but not purge: it lacks the scope “purge”.</p>}
      {error !== '' && (
        <p class="inline-error" role="alert">
          Top URLs could not be read: {error}
        </p>
      )}
      {top === null && error === '' && <div class="skeleton block" />}
      {top !== null && top.items.length === 0 && <p class="blank">No requests in this time.</p>}
      {top !== null && top.items.length > 0 && (
        <table class="cards" role="table" aria-labelledby={id}>
          <thead role="rowgroup">
            <tr role="row">
              <th scope="col" role="columnheader">
                URL
              </th>
              <th scope="col" role="columnheader" class="num">
                Requests
              </th>
              <th scope="col" role="columnheader" class="num">
                Hit ratio
              </th>
              <th scope="col" role="columnheader" class="num">
                Misses
              </th>
              <th scope="col" role="columnheader" class="num">
                Bytes
              </th>
              <th scope="col" role="columnheader">
                <span class="hidden">Action</span>
              </th>
            </tr>
          </thead>
          <tbody role="rowgroup">
            {top.items.map((item) => (
              <Row key={item.url} item={item} most={most} by={by} canPurge={canPurge} onPurge={onPurge} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
