import { randomBytes } from 'node:crypto';
import type { AgentConnection, SyscallBuffer } from '../../loader/agent/connection.ts';
import { errnoName } from '../../loader/agent/errno.ts';
import { type SyscallName, syscallNumber } from '../../loader/agent/syscall-numbers.ts';
import { ExplainedError } from '../../loader/errors.ts';

const AT_FDCWD = -100;
const O_WRONLY = 1;
const CLOCK_REALTIME = 0;
/** include/uapi/linux/random.h: _IOW('R', 0x03, int[2]) takes struct rand_pool_info; _IO('R', 0x07). */
const RNDADDENTROPY = 0x40085203;
const RNDRESEEDCRNG = 0x5207;
const SEED_BYTES = 64;

/**
 * Makes a restored guest a machine of its own: sets its clock to the host's, and mixes fresh random bytes into the kernel's
 * generator and lets it reseed (drivers/char/random.c), or every machine of a template would draw the same numbers. What the
 * kernel drew before the state was saved (its own address, hash seeds) stays, as it must.
 * @throws ExplainedError `refresh-failed` if the guest refuses one of these
 */
export async function refreshGuest(agent: AgentConnection): Promise<void> {
  const call = async (name: SyscallName, ...args: (number | SyscallBuffer)[]): Promise<number> => {
    const { value, errno } = await agent.syscall({ number: syscallNumber(agent.hello.machine, name), args });
    if (errno === 0) return value;
    throw new ExplainedError('refresh-failed', 'the restored machine cannot be given a clock and random numbers', {
      why: `${name}: ${errnoName(errno)}`,
    });
  };
  await call('clock_settime', CLOCK_REALTIME, { bytes: timespec(Date.now()), direction: 'in' });
  const path = new TextEncoder().encode('/dev/urandom\0');
  const random = await call('openat', AT_FDCWD, { bytes: path, direction: 'in' }, O_WRONLY);
  await call('ioctl', random, RNDADDENTROPY, { bytes: poolInfo(randomBytes(SEED_BYTES)), direction: 'in' });
  await call('ioctl', random, RNDRESEEDCRNG, 0);
  // The descriptor goes with the connection: closing it would take 4 ms of a restore that takes 100, emulated.
}

/** struct timespec of a 64-bit machine: seconds and nanoseconds, little-endian. */
function timespec(milliseconds: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(Math.floor(milliseconds / 1000)), true);
  view.setBigInt64(8, BigInt(Math.floor((milliseconds % 1000) * 1e6)), true);
  return bytes;
}

/** struct rand_pool_info: the entropy in bits, the size in bytes, the bytes. */
function poolInfo(seed: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + seed.length);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, seed.length * 8, true);
  view.setInt32(4, seed.length, true);
  bytes.set(seed, 8);
  return bytes;
}
