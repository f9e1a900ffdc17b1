// Small parts that several pages use.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

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
