import { Component, type ReactNode } from "react";
import { Notice } from "./notice";

interface Props {
  children: ReactNode;
}

interface State {
  error: Error | undefined;
}

/** A screen that cannot be drawn says so in its own place; the way to the others and all warnings stay. */
export class Boundary extends Component<Props, State> {
  override state: State = { error: undefined };

  static getDerivedStateFromError(error: unknown): State {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <Notice
        title="This screen cannot be drawn"
        action={
          <button
            type="button"
            onClick={() => location.reload()}
            className="h-6 rounded border border-edge bg-raised px-2 hover:border-dim"
          >
            Reload
          </button>
        }
      >
        <p>A fault of the page, or an answer of another version of pairscope than this page belongs to.</p>
        <p className="num mt-1 whitespace-normal">{error.message}</p>
      </Notice>
    );
  }
}
