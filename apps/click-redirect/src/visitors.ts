import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type Address, clientAddress, type Network, parseAddress } from '@baton/contracts';
import { agentText } from './domain/click';
import { flat } from './domain/flat';
import { type Agent, readAgent } from './domain/visitor';
import type { Seal } from './seal';

export interface KnownAgent {
  readonly agent: Agent;
  readonly hash: string | null;
  /** `agentText` */
  readonly text: string;
}

/** Distinct user agents that are remembered: some 10 MB at most. */
const AGENTS_MAX = 20_000;
const AGENT_MAX_LENGTH = 512;

/** Who asks: what is costly to read from a user agent and a socket is read once. */
export class Visitors {
  private readonly agents = new Map<string, KnownAgent>();
  private readonly peers = new WeakMap<Socket, Address | null>();
  private readonly nobody = knownAgent(readAgent(undefined), null);

  constructor(
    private readonly seal: Seal,
    private readonly trustedProxies: readonly Network[],
  ) {}

  agentOf(userAgent: string | undefined): KnownAgent {
    if (userAgent === undefined || userAgent === '') return this.nobody;
    const text = userAgent.length > AGENT_MAX_LENGTH ? userAgent.slice(0, AGENT_MAX_LENGTH) : userAgent;
    const known = this.agents.get(text);
    if (known) return known;
    const read = knownAgent(readAgent(text), this.seal.userAgentHash(text));
    // Rare, and what is common comes back at once.
    if (this.agents.size >= AGENTS_MAX) this.agents.clear();
    this.agents.set(text, read);
    return read;
  }

  /** The address stays in this process and out of its logs. */
  addressOf(request: IncomingMessage): Address | null {
    const { socket } = request;
    let peer = this.peers.get(socket);
    if (peer === undefined) {
      peer = socket.remoteAddress === undefined ? null : parseAddress(socket.remoteAddress);
      this.peers.set(socket, peer);
    }
    const forwarded = request.headers['x-forwarded-for'];
    return clientAddress(peer, Array.isArray(forwarded) ? forwarded.join(',') : forwarded, this.trustedProxies);
  }
}

const knownAgent = (agent: Agent, hash: string | null): KnownAgent => ({ agent, hash, text: flat(agentText(agent, hash)) });
