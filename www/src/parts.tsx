// Small parts that several pages use.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { Problem } from './api';
import { problemWords } from './problems';

// What a call answers, asked for again and again while it is looked at. The last answer stays when one fails;
// with another key it is another question.
export function usePolled<T>(
  ask: () => Promise<T>,
  everyMs: number,
  active: boolean,
  key: unknown,
): { data: T | null; error: string; again: () => void } {
  const [state, setState] = useState<{ key: unknown; data: T | null; error: string }>({ key, data: null, error: '' });
  const [serial, setSerial] = useState(0);
  useEffect(() => {
    if (!active) {
      return undefined;
    }
    let gone = false;
    const load = (): void => {
      ask().then(
        (data) => gone || setState({ key, data, error: '' }),
        (e: Error) => gone || setState((was) => ({ key, data: was.key === key ? was.data : null, error: e.message })),
      );
    };
    load();
    const timer = setInterval(load, everyMs);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [active, key, everyMs, serial]);
  const fits = state.key === key;
  return {
    data: fits ? state.data : null,
    error: fits ? state.error : '',
    again: () => setSerial((n) => n + 1),
  };
}

// What happened, and the facts of it.
export function ProblemText({ problem, children }: { problem: Problem; children?: ComponentChildren }) {
  const { title, facts } = problemWords(problem);
  return (
    <span class="problem-text">
      {title} {children}
      {facts.length > 0 && (
        <span class="note problem-facts">
          {facts.map(([key, value]) => (
            <span key={key}>
              {key} {value}
            </span>
          ))}
        </span>
      )}
    </span>
  );
}

interface SegmentsProps<K extends string> {
  name: string;
  legend: string;
  items: readonly { key: K; label: ComponentChildren; hint?: string }[];
  value: K;
  onChange: (key: K) => void;
}

// A row of radio buttons: arrow keys, one tab stop and the checked state come from the browser.
export function Segments<K extends string>({ name, legend, items, value, onChange }: SegmentsProps<K>) {
  const id = useId();
  return (
    <fieldset class="segments">
      <legend class="hidden">{legend}</legend>
      {items.map((item) => (
        <label key={item.key} title={item.hint}>
          <input
            type="radio"
            name={`${name}-${id}`}
            value={item.key}
            checked={item.key === value}
            onChange={() => onChange(item.key)}
          />
          <span>{item.label}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface ModalProps {
  label: string;
  onClose: (() => void) | null; // null: it cannot be left
  children: ComponentChildren;
}

// A native modal dialog for as long as it is rendered; the focus goes back to where it was.
export function Modal({ label, onClose, children }: ModalProps) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    if (dialog !== null && !dialog.open) {
      dialog.showModal();
    }
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement && before.isConnected) {
        before.focus();
      }
    };
  }, []);
  return (
    <dialog
      ref={ref}
      aria-label={label}
      onCancel={(e) => {
        e.preventDefault();
        onClose?.();
      }}
    >
      {children}
    </dialog>
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect class="mark-body" width="32" height="32" rx="7" />
      <path
        class="mark-shelf"
        d="M6 14h20v2H6zM6 25h20v2H6zM8 8a1 1 0 0 1 1-1h2a1 1 0 0 1 1 1v5H8zM14 10a1 1 0 0 1 1-1h3a1 1 0 0 1 1 1v3h-5zM8 20a1 1 0 0 1 1-1h5a1 1 0 0 1 1 1v4H8zM17 19a1 1 0 0 1 1-1h1a1 1 0 0 1 1 1v5h-3z"
      />
      <path class="mark-jar" d="M21 7a1 1 0 0 1 1-1h2a1 1 0 0 1 1 1v6h-4z" />
    </svg>
  );
}
