// Who listens to what: topics counted by reference, messages led to them, the server's clock and status.

import type { JobList, ServerMessage, Status } from "../api.gen";
import { Signal } from "../lib/signal";
import { BROWSER, Connection, type Surroundings } from "./connection";
import { Topic } from "./state";
import { applyMessage, JOBS_TOPIC, STATUS_TOPIC, type TopicMessage } from "./topic";

const ANSWER_WITHIN_MS = 5_000;
const TICK_MS = 250;

const isPast = (message: ServerMessage): boolean => message.type === "pair" && message.row !== undefined;

/** A status and when it arrived, so that ages in it can be carried on without comparing two clocks. */
export interface ReceivedStatus {
  status: Status;
  receivedMs: number;
}

export class Hub {
  readonly connection: Connection;
  readonly status = new Signal<ReceivedStatus | undefined>(undefined);
  readonly jobs = new Signal<JobList | undefined>(undefined); // while somebody follows them
  private jobsUsers = 0;
  readonly clock: Signal<number>; // by which everything on the page ages: one time for all of it
  holes = 0;
  private readonly topics = new Map<string, Topic>();
  private readonly numbered = new Map<number, string>(); // topics by the number under which their changes come
  private waiting: ServerMessage[] = [];
  private isTaking = false;
  private clockOffsetMs = 0;
  private ticking: ReturnType<typeof setInterval> | undefined;

  constructor(
    address: string,
    private readonly snapshotBars: number,
    private readonly around: Surroundings = BROWSER,
  ) {
    this.connection = new Connection(
      address,
      (message) => this.enqueue(message),
      () => this.resubscribe(),
      around,
    );
    this.clock = new Signal(around.now());
  }

  start(): void {
    this.connection.start();
    this.ticking = setInterval(() => this.clock.set(this.around.now()), TICK_MS);
  }

  stop(): void {
    clearInterval(this.ticking);
    this.connection.stop();
  }

  /** The browser's clock, by which arrivals are dated. */
  nowMs(): number {
    return this.around.now();
  }

  /** The server's clock, as well as the last ping tells. */
  serverNowMs(): number {
    return this.around.now() + this.clockOffsetMs;
  }

  /** The topic, kept subscribed until as many releases as acquisitions. */
  acquire(name: string): Topic {
    let topic = this.topics.get(name);
    if (!topic) {
      topic = new Topic(name);
      this.topics.set(name, topic);
      this.subscribe(topic);
    }
    topic.users++;
    return topic;
  }

  release(topic: Topic): void {
    topic.users--;
    if (topic.users > 0) return;
    this.topics.delete(topic.name);
    this.connection.send({ op: "unsub", topic: topic.name });
  }

  /** Long work, told as it goes until the function that is given back is called. */
  followJobs(): () => void {
    if (this.jobsUsers++ === 0) this.connection.send({ op: "sub", topic: JOBS_TOPIC });
    return () => {
      if (--this.jobsUsers === 0) this.connection.send({ op: "unsub", topic: JOBS_TOPIC });
    };
  }

  /** After a lost line each topic goes on from its last number; the server answers with what was missed, or anew. */
  private resubscribe(): void {
    this.waiting = this.waiting.filter((message) => !isPast(message)); // is told again
    this.connection.send({ op: "sub", topic: STATUS_TOPIC });
    if (this.jobsUsers) this.connection.send({ op: "sub", topic: JOBS_TOPIC });
    for (const topic of this.topics.values()) this.subscribe(topic);
  }

  private subscribe(topic: Topic): void {
    const since = topic.state.seq === undefined ? {} : { since: topic.state.seq };
    const asked = { topic: topic.name, limit: this.snapshotBars, updates: "changes", ...since } as const;
    const sent = this.connection.send({ op: "sub", ...asked });
    topic.askedMs = sent ? this.around.now() : undefined;
  }

  /** What has come by then is taken in together, so that everything on the page is drawn from it once. */
  private enqueue(message: ServerMessage): void {
    if ("metrics" in message && "of" in message && message.of !== undefined)
      this.numbered.set(message.of, message.topic);
    this.waiting.push(message);
    if (this.isTaking) return;
    this.isTaking = true;
    this.around.soon(() => this.takeIn());
  }

  /** A row that is over waits for the moment that follows it at once: they are shown together, however late. */
  private takeIn(): void {
    this.isTaking = false;
    const all = this.waiting;
    const isFollowed = (name: string, i: number) =>
      all.some((later, j) => j > i && !isPast(later) && this.nameOf(later) === name);
    this.waiting = all.filter((message, i) => {
      const name = isPast(message) ? this.nameOf(message) : undefined;
      return name !== undefined && this.topics.has(name) && !isFollowed(name, i);
    });
    const changed = new Set<Topic>();
    for (const message of this.waiting.length ? all.filter((each) => !this.waiting.includes(each)) : all) {
      const topic = this.receive(message);
      if (topic) changed.add(topic);
    }
    for (const topic of changed) topic.version.set(topic.state.version);
  }

  /** The topic that a message is of; changes are led to theirs by its number. */
  private nameOf(message: ServerMessage): string | undefined {
    if (message.type === "pair" || message.type === "symbol") return this.numbered.get(message.of);
    return "topic" in message ? (message.topic ?? undefined) : undefined;
  }

  private receive(message: ServerMessage): Topic | undefined {
    switch (message.type) {
      case "ping":
        this.clockOffsetMs = message.now_ms - this.around.now();
        return undefined;
      case "status":
        this.status.set({ status: message.status, receivedMs: this.around.now() });
        return undefined;
      case "jobs":
        this.jobs.set(message.jobs);
        return undefined;
      case "alerts":
      case "alert":
      case "alerts_snapshot":
        return undefined; // nobody follows them yet
      default: {
        const name = this.nameOf(message);
        const topic = name ? this.topics.get(name) : undefined;
        if (topic) this.receiveFor(topic, message);
        return topic;
      }
    }
  }

  private receiveFor(topic: Topic, message: TopicMessage): void {
    const verdict = applyMessage(topic.state, message);
    if (verdict === "apply") topic.askedMs = undefined;
    const isAsked = topic.askedMs !== undefined && this.around.now() - topic.askedMs < ANSWER_WITHIN_MS;
    if (verdict === "hole" && !isAsked) {
      this.holes++;
      this.subscribe(topic);
    }
  }
}
