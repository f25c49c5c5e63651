import type { AgentConnection } from '../agent/connection.ts';
import { syscallNumber } from '../agent/syscall-numbers.ts';
import { output } from '../syscall/attr.ts';
import { closeAll } from '../syscall/bpf.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const NLMSG_ERROR = 2;
const HEADER_SIZE = 16;
const ANSWER_SIZE = 32 * 1024;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NESTED = 0x8000;

/** Flags of a request that makes something (include/uapi/linux/netlink.h). */
export const NetlinkFlag = { echo: 8, exclusive: 0x200, create: 0x400 } as const;

/** A request to the kernel's network configuration. */
export interface NetlinkRequest {
  /** RTM_…. */
  readonly type: number;
  readonly flags?: number;
  /** The fixed structure and the attributes. */
  readonly payload: Uint8Array;
}

/** What came back: 0 or an errno, and the payloads of other messages, by type. */
export interface NetlinkAnswer {
  readonly errno: number;
  readonly messages: readonly { readonly type: number; readonly payload: Uint8Array }[];
}

/** Asks the kernel over rtnetlink(7) in the agent's network namespace, and waits for its acknowledgement. Throws AgentError. */
export async function askRouteNetlink(agent: AgentConnection, request: NetlinkRequest): Promise<NetlinkAnswer> {
  const { machine } = agent.hello;
  const socket = await agent.syscall({
    number: syscallNumber(machine, 'socket'),
    args: [AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE],
  });
  if (socket.errno !== 0) return { errno: socket.errno, messages: [] };
  try {
    const message = new Uint8Array(HEADER_SIZE + request.payload.length);
    const view = new DataView(message.buffer);
    view.setUint32(0, message.length, true);
    view.setUint16(4, request.type, true);
    view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK | (request.flags ?? 0), true);
    view.setUint32(8, 1, true);
    message.set(request.payload, HEADER_SIZE);
    const sent = await agent.syscall({
      number: syscallNumber(machine, 'sendto'),
      args: [socket.value, { bytes: message, direction: 'in' }, message.length, 0, 0, 0],
    });
    if (sent.errno !== 0) return { errno: sent.errno, messages: [] };
    return await receive(agent, socket.value);
  } finally {
    await closeAll(agent, [socket.value]);
  }
}

/** One attribute (`struct rtattr`): length, type, content up to a multiple of 4. */
export function attribute(type: number, content: Uint8Array | number | string): Uint8Array {
  const bytes =
    typeof content === 'number'
      ? new Uint8Array(Int32Array.of(content).buffer)
      : typeof content === 'string'
        ? new TextEncoder().encode(`${content}\0`)
        : content;
  const whole = new Uint8Array(Math.ceil((4 + bytes.length) / 4) * 4);
  const view = new DataView(whole.buffer);
  view.setUint16(0, 4 + bytes.length, true);
  view.setUint16(2, type, true);
  whole.set(bytes, 4);
  return whole;
}

/** An attribute that holds others. */
export function nested(type: number, ...attributes: readonly Uint8Array[]): Uint8Array {
  return attribute(type | NESTED, Buffer.concat(attributes));
}

async function receive(agent: AgentConnection, socket: number): Promise<NetlinkAnswer> {
  const messages: { type: number; payload: Uint8Array }[] = [];
  for (;;) {
    const buffer = output(ANSWER_SIZE);
    const { value, errno } = await agent.syscall({
      number: syscallNumber(agent.hello.machine, 'recvfrom'),
      args: [socket, buffer, ANSWER_SIZE, 0, 0, 0],
    });
    if (errno !== 0) return { errno, messages };
    const view = new DataView(buffer.bytes.buffer);
    for (let at = 0; at + HEADER_SIZE <= value; ) {
      const length = view.getUint32(at, true);
      const type = view.getUint16(at + 4, true);
      if (type === NLMSG_ERROR) return { errno: -view.getInt32(at + HEADER_SIZE, true), messages };
      messages.push({ type, payload: buffer.bytes.slice(at + HEADER_SIZE, at + length) });
      at += Math.max(HEADER_SIZE, Math.ceil(length / 4) * 4);
    }
  }
}
