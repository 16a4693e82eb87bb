// One WebSocket that stays: it reconnects with back-off and jitter, and notices when the server falls silent.

import type { ClientMessage, ServerMessage } from "../api.gen";
import { Signal } from "../lib/signal";

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
const SILENCE_MS = 8_000; // the server pings each second

export interface Link {
  phase: "connecting" | "open" | "down";
  sinceMs: number; // when this phase began, on the browser's clock
  retryAtMs: number | undefined;
  everOpen: boolean;
}

export interface Surroundings {
  open: (address: string) => WebSocket;
  now: () => number;
  random: () => number;
  soon: (work: () => void) => void; // after what has come already, and before the page is drawn
}

export const BROWSER: Surroundings = {
  open: (address) => new WebSocket(address),
  now: () => Date.now(),
  random: () => Math.random(),
  soon: (work) => void setTimeout(work, 0),
};

/** Time to wait before attempt number `attempt` (from 0): half fixed, half chance, so that clients spread. */
export function backoffMs(attempt: number, random: number): number {
  const most = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt);
  return most / 2 + (most / 2) * random;
}

export class Connection {
  readonly link: Signal<Link>;
  private socket: WebSocket | undefined;
  private attempt = 0;
  private heardMs = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private watchTimer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly address: string,
    private readonly onMessage: (message: ServerMessage) => void,
    private readonly onOpen: () => void,
    private readonly around: Surroundings = BROWSER,
  ) {
    this.link = new Signal<Link>({ phase: "connecting", sinceMs: around.now(), retryAtMs: undefined, everOpen: false });
  }

  start(): void {
    this.connect();
    this.watchTimer = setInterval(() => this.watch(), 1_000);
  }

  stop(): void {
    clearInterval(this.watchTimer);
    clearTimeout(this.retryTimer);
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
  }

  /** Try at once instead of waiting; does nothing while connected or connecting. */
  retryNow(): void {
    if (this.link.value.phase !== "down") return;
    clearTimeout(this.retryTimer);
    this.connect();
  }

  /** Returns false when there is no open socket; whoever subscribes does so again in `onOpen`. */
  send(message: ClientMessage): boolean {
    if (this.link.value.phase !== "open" || !this.socket) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  private connect(): void {
    this.enter("connecting");
    const socket = this.around.open(this.address);
    this.socket = socket;
    this.heardMs = this.around.now();
    socket.onopen = () => {
      if (socket !== this.socket) return;
      this.heardMs = this.around.now();
      this.enter("open");
      this.onOpen();
    };
    socket.onmessage = (event) => {
      if (socket !== this.socket) return;
      this.heardMs = this.around.now();
      this.attempt = 0; // only a delivered message shows that the connection is good
      this.onMessage(JSON.parse(event.data as string) as ServerMessage);
    };
    socket.onclose = () => {
      if (socket === this.socket) this.lost();
    };
  }

  /** A silent socket, or one that slept with the computer, is given up. */
  private watch(): void {
    if (!this.socket || this.around.now() - this.heardMs < SILENCE_MS) return;
    const socket = this.socket;
    this.lost();
    socket.close();
  }

  private lost(): void {
    this.socket = undefined;
    const delay = backoffMs(this.attempt++, this.around.random());
    this.retryTimer = setTimeout(() => this.connect(), delay);
    this.enter("down", this.around.now() + delay);
  }

  private enter(phase: Link["phase"], retryAtMs?: number): void {
    const last = this.link.value;
    // "down, connecting, down again" is one outage: it began when the line was lost.
    const isSameOutage = last.everOpen && last.phase !== "open" && phase !== "open";
    this.link.set({
      phase,
      sinceMs: isSameOutage ? last.sinceMs : this.around.now(),
      retryAtMs,
      everOpen: last.everOpen || phase === "open",
    });
  }
}
