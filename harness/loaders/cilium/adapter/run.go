package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"github.com/cilium/ebpf"
)

const (
	sysBPF             = 321 // x86-64
	progTestRun        = 10  // BPF_PROG_TEST_RUN
	packetSize         = 64
	packetHeadroom     = 512
	argumentsSize      = 96 // A raw tracepoint's context: twelve 64-bit arguments.
	signalSetSize      = 8
	signalsBlock       = 0 // SIG_BLOCK
	longestProcessorID = 1024
)

// testRunAttributes is the kernel's union bpf_attr for BPF_PROG_TEST_RUN, up to the last member that 5.10 has.
type testRunAttributes struct {
	program, returned             uint32
	dataSizeIn, dataSizeOut       uint32
	dataIn, dataOut               uint64
	repeat, duration              uint32
	contextSizeIn, contextSizeOut uint32
	contextIn, contextOut         uint64
	flags, cpu                    uint32
}

// runProgram runs a program once on a CPU. It asks the kernel itself: the library's own way refuses some types in its early versions, and
// asks first, with a program and a map of its own, whether the kernel has test runs at all.
func runProgram(collection *ebpf.Collection, wanted wantedRun) run {
	result := run{Program: wanted.program, CPU: wanted.cpu, Data: map[string]string{}}
	one := collection.Programs[wanted.program]
	if one == nil {
		return result
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if errno := bindTo(wanted.cpu); errno != 0 {
		result.Errno = errnoName(errno)
		return result
	}
	returned, errno := testRun(one)
	if errno != 0 {
		result.Errno = errnoName(errno)
	} else {
		result.Returned = &returned
	}
	readSections(collection, result.Data)
	return result
}

func testRun(one *ebpf.Program) (uint32, syscall.Errno) {
	attributes := testRunAttributes{program: uint32(one.FD())}
	packet, packetOut := make([]byte, packetSize), make([]byte, packetSize+packetHeadroom)
	arguments := make([]byte, argumentsSize)
	switch uint32(one.Type()) {
	case 1, 3, 4, 6, 8, 10, 11, 12, 19, 22, 32:
		// socket_filter, sched_cls, sched_act, xdp, cgroup_skb, lwt_in, lwt_out, lwt_xmit, lwt_seg6local, flow_dissector, netfilter
		attributes.dataIn, attributes.dataSizeIn = address(packet), packetSize
		attributes.dataOut, attributes.dataSizeOut = address(packetOut), packetSize+packetHeadroom
		attributes.repeat = 1
	case 17, 24: // raw_tracepoint, raw_tracepoint_writable
		attributes.contextIn, attributes.contextSizeIn = address(arguments), argumentsSize
	case 30: // sk_lookup
		attributes.repeat = 1
	}
	_, _, errno := syscall.Syscall(sysBPF, progTestRun, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
	runtime.KeepAlive(packet)
	runtime.KeepAlive(packetOut)
	runtime.KeepAlive(arguments)
	return attributes.returned, errno
}

func address(bytes []byte) uint64 {
	return uint64(uintptr(unsafe.Pointer(&bytes[0])))
}

// bindTo moves this thread to a CPU. Signals are kept away from it from then on: the runtime sends itself some, and one that is waiting makes
// older kernels answer EINTR to a test run that took place.
func bindTo(cpu int) syscall.Errno {
	if cpu >= longestProcessorID {
		return syscall.EINVAL
	}
	all := ^uint64(0)
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, signalsBlock, uintptr(unsafe.Pointer(&all)), 0, signalSetSize, 0, 0)
	var mask [longestProcessorID / 64]uint64
	mask[cpu/64] = 1 << (cpu % 64)
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	return errno
}

// bytesLeft is how much of sections may be told still, so that the document stays one that is read whole: each run has all of them.
var bytesLeft = 12 << 20

// readSections reads the global data sections whole. Those that no program refers to have no map in the first versions.
func readSections(collection *ebpf.Collection, sections map[string]string) {
	for name, one := range collection.Maps {
		if !isDataSection(name) {
			continue
		}
		if size := int(one.ValueSize()); size > bytesLeft {
			fmt.Fprintf(os.Stderr, "%s is not told: it has %d bytes, which are too many\n", name, size)
			continue
		}
		value, err := one.LookupBytes(uint32(0))
		if err != nil || value == nil {
			continue
		}
		sections[name] = hex.EncodeToString(value)
		bytesLeft -= len(value)
	}
}

func isDataSection(name string) bool {
	for _, kind := range []string{".data", ".bss", ".rodata"} {
		if name == kind || strings.HasPrefix(name, kind+".") {
			return true
		}
	}
	return false
}
