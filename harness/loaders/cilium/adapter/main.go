// An adapter for cilium/ebpf: loads an object the way its users do, runs programs of it and prints what happened as one JSON document.
// ../../PROTOCOL.md says what it is called with and what it prints. One source for every version: what differs between them is looked up
// when it runs, by reflection.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// version of the library: nothing in it tells, so the linker is told to put it here.
var version = "unknown"

// Enough for the BTF of a kernel in every version; most loads need a hundredth of it.
const garbageLimit = 192 << 20

func main() {
	// A load lasts milliseconds, and a CPU that is emulated makes collecting garbage and waking threads dear.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(garbageLimit)
	runtime.GOMAXPROCS(1)
	object, wanted, err := readArguments(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(64)
	}
	if err := liftMemoryLimit(); err != nil {
		fmt.Fprintf(os.Stderr, "RLIMIT_MEMLOCK stays as it is: %v\n", err)
	}
	collection, answer := loadObject(object)
	if answer.Loaded {
		for _, one := range wanted {
			answer.Runs = append(answer.Runs, runProgram(collection, one))
		}
	}
	text, err := json.Marshal(answer)
	if err == nil {
		_, err = os.Stdout.Write(append(text, '\n'))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(74)
	}
}

// wantedRun is a test run of a program on a CPU.
type wantedRun struct {
	program string
	cpu     int
}

const usage = "usage: adapter OBJECT [--run PROGRAM@CPU]..."

func readArguments(arguments []string) (string, []wantedRun, error) {
	if len(arguments)%2 != 1 {
		return "", nil, fmt.Errorf(usage)
	}
	var runs []wantedRun
	for rest := arguments[1:]; len(rest) > 0; rest = rest[2:] {
		at := strings.LastIndexByte(rest[1], '@')
		if rest[0] != "--run" || at < 1 {
			return "", nil, fmt.Errorf(usage)
		}
		cpu, err := strconv.ParseUint(rest[1][at+1:], 10, 16)
		if err != nil {
			return "", nil, fmt.Errorf(usage)
		}
		runs = append(runs, wantedRun{rest[1][:at], int(cpu)})
	}
	return arguments[0], runs, nil
}

// liftMemoryLimit does what the library's own rlimit.RemoveMemlock does, for the kernels before 5.11 that count BPF memory as locked.
// That one is not there in 0.2, and asks the kernel with programs and maps of its own, among which the load would have to be looked for.
func liftMemoryLimit() error {
	const memlock = 8 // RLIMIT_MEMLOCK
	const infinity = ^uint64(0)
	return syscall.Setrlimit(memlock, &syscall.Rlimit{Cur: infinity, Max: infinity})
}
