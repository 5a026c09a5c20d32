/** @file Network namespaces as hosts: each with a name and an address of its own, on one switch. Nothing of them is seen from outside. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const netmask = '10.77.0';

export interface NetworkHosts {
  /** `mpirun` on the first host, up to the options of the job. */
  launch: { command: string; args: string[] };
  /** Sets the link of a host down. */
  cut(host: number): void;
  /** Sets it up again. */
  join(host: number): void;
  /** Delays what a host sends, and bounds its rate; false where the system has no netem. */
  slow(host: number, delay: string, rate: string): boolean;
  remove(): void;
}

/** Why there can be no hosts here; undefined where there can. */
export function withoutHosts(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux';
  const probe = `rmac-probe-${process.pid}`;
  if (spawnSync('ip', ['netns', 'add', probe]).status !== 0) {
    return 'network namespaces are not permitted, or there is no ip (Debian package iproute2)';
  }
  spawnSync('ip', ['netns', 'del', probe]);
  return undefined;
}

/** Parameters of Open MPI as mpirun takes them. */
export function mcaOptions(parameters: Readonly<Record<string, string>>): string[] {
  return Object.entries(parameters).flatMap(([name, value]) => ['--mca', name, value]);
}

/** Makes `count` hosts, with one slot each for a rank. */
export function networkHosts(count: number): NetworkHosts {
  const id = `rm${process.pid % 10_000}`;
  const names = Array.from({ length: count }, (_, i) => `${id}h${i + 1}`);
  const ip = (...args: string[]) => {
    const { status, stderr } = spawnSync('ip', args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
  };
  ip('netns', 'add', `${id}sw`);
  ip('-n', `${id}sw`, 'link', 'add', 'br0', 'type', 'bridge');
  ip('-n', `${id}sw`, 'link', 'set', 'br0', 'up');
  for (const [i, name] of names.entries()) {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', `p${i}`, 'netns', `${id}sw`);
    ip('-n', `${id}sw`, 'link', 'set', `p${i}`, 'master', 'br0', 'up');
    ip('-n', name, 'addr', 'add', `${netmask}.${i + 1}/24`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }
  const folder = mkdtempSync(join(tmpdir(), 'rmac-hosts-'));
  const [agent, hostfile] = ['agent.sh', 'hosts'].map((name) => join(folder, name));
  // What mpirun calls in place of ssh: the host's address, then a command.
  const inHost = `exec ip netns exec "${id}h$n" unshare --uts sh -c "hostname ${id}h$n; exec $*"`;
  writeFileSync(agent, `#!/bin/sh\nn=\${1##*.}\nshift\n${inHost}\n`, { mode: 0o755 });
  writeFileSync(hostfile, names.map((_, i) => `${netmask}.${i + 1} slots=1\n`).join(''));
  const tcp = { btl: 'tcp,self', btl_tcp_if_include: 'eth0', oob_tcp_if_include: 'eth0', plm_rsh_agent: agent };
  const mca = mcaOptions(tcp);
  const first = ['netns', 'exec', names[0], 'unshare', '--uts', 'sh', '-c', `hostname ${names[0]}; exec "$@"`, 'sh'];
  return {
    launch: { command: 'ip', args: [...first, 'mpirun', ...mca, '--hostfile', hostfile, '--map-by', 'node'] },
    cut: (host) => ip('-n', names[host], 'link', 'set', 'eth0', 'down'),
    join: (host) => ip('-n', names[host], 'link', 'set', 'eth0', 'up'),
    slow(host, delay, rate) {
      const netem = ['dev', 'eth0', 'root', 'netem', 'delay', delay, 'rate', rate];
      return spawnSync('tc', ['-n', names[host], 'qdisc', 'replace', ...netem]).status === 0;
    },
    remove() {
      for (const name of [...names, `${id}sw`]) {
        const { stdout } = spawnSync('ip', ['netns', 'pids', name], { encoding: 'utf8' });
        for (const pid of stdout.split('\n').filter(Boolean)) {
          try {
            process.kill(Number(pid), 'SIGKILL');
          } catch {
            // it has ended
          }
        }
        spawnSync('ip', ['netns', 'del', name]);
      }
    },
  };
}
