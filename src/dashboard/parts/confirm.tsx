/** A question before something is lost: the browser's own dialog, so that Escape, focus and the backdrop are right. */
import { useRef, useState } from 'hono/jsx/dom';
import { useEffect } from '../effect.ts';

interface Question {
  title: string;
  text: string;
  /** The verb on the button. */
  verb: string;
  answer(yes: boolean): void;
}

let ask: (question: Question) => void = () => {};

export function confirmed(title: string, text: string, verb: string): Promise<boolean> {
  return new Promise((answer) => ask({ title, text, verb, answer }));
}

export function Confirmations() {
  const [question, setQuestion] = useState<Question | null>(null);
  const dialog = useRef<HTMLDialogElement>(null);
  ask = setQuestion;
  useEffect(() => {
    if (question && !dialog.current?.open) dialog.current?.showModal();
  }, [question]);
  const close = (yes: boolean) => {
    question?.answer(yes);
    setQuestion(null);
    dialog.current?.close();
  };
  return (
    <dialog ref={dialog} onCancel={() => close(false)} aria-labelledby="question">
      <h2 id="question">{question?.title ?? ''}</h2>
      <p>{question?.text ?? ''}</p>
      <div class="actions">
        <button type="button" onClick={() => close(false)}>
          Keep it
        </button>
        <button type="button" class="danger" onClick={() => close(true)}>
          {question?.verb ?? ''}
        </button>
      </div>
    </dialog>
  );
}
