// Who listens to what: topics counted by reference, messages led to them, the server's clock and status.

import type { ServerMessage, Status } from "../api.gen";
import { Signal } from "../lib/signal";
import { BROWSER, Connection, type Surroundings } from "./connection";
import { applyMessage, emptyTopic, STATUS_TOPIC, type TopicMessage, type TopicState } from "./topic";

const ANSWER_WITHIN_MS = 5_000;

/** A status and when it arrived, so that ages in it can be carried on without comparing two clocks. */
export interface ReceivedStatus {
  status: Status;
  receivedMs: number;
}

/** One topic in use: `state` is changed in place, `version` rises with each change. */
export class Topic {
  readonly state: TopicState = emptyTopic();
  readonly version = new Signal(0);
  users = 0;
  askedMs: number | undefined; // when a subscription was sent whose answer has not come

  constructor(readonly name: string) {}
}

export class Hub {
  readonly connection: Connection;
  readonly status = new Signal<ReceivedStatus | undefined>(undefined);
  holes = 0;
  private readonly topics = new Map<string, Topic>();
  private clockOffsetMs = 0;

  constructor(
    address: string,
    private readonly snapshotBars: number,
    private readonly around: Surroundings = BROWSER,
  ) {
    this.connection = new Connection(
      address,
      (message) => this.receive(message),
      () => this.resubscribe(),
      around,
    );
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

  /** After a lost line each topic goes on from its last number; the server answers with what was missed, or anew. */
  private resubscribe(): void {
    this.connection.send({ op: "sub", topic: STATUS_TOPIC });
    for (const topic of this.topics.values()) this.subscribe(topic);
  }

  private subscribe(topic: Topic): void {
    const since = topic.state.seq === undefined ? {} : { since: topic.state.seq };
    const sent = this.connection.send({ op: "sub", topic: topic.name, limit: this.snapshotBars, ...since });
    topic.askedMs = sent ? this.around.now() : undefined;
  }

  private receive(message: ServerMessage): void {
    switch (message.type) {
      case "ping":
        this.clockOffsetMs = message.now_ms - this.around.now();
        return;
      case "status":
        this.status.set({ status: message.status, receivedMs: this.around.now() });
        return;
      default: {
        const topic = message.topic ? this.topics.get(message.topic) : undefined;
        if (topic) this.receiveFor(topic, message);
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
    topic.version.set(topic.state.version);
  }
}
