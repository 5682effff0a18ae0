// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// processTime is the CPU time that a process took until now. The clock counts
// nanoseconds, where /proc counts hundredths of a second.
func processTime(pid int) (time.Duration, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(processClock(pid), &ts); err != nil {
		return 0, err
	}
	return time.Duration(ts.Nano()), nil
}

// processClock is what clock_getcpuclockid(3) returns for a process.
func processClock(pid int) int32 {
	const schedule = 2 // CPUCLOCK_SCHED: user and system, as the scheduler counts
	return int32(^pid<<3 | schedule)
}

// twoCPUs returns two CPUs of those that this process may use.
func twoCPUs() (first, second int, ok bool) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil || set.Count() < 2 {
		return 0, 0, false
	}
	first = -1
	for cpu := 0; ; cpu++ {
		switch {
		case !set.IsSet(cpu):
		case first < 0:
			first = cpu
		default:
			return first, cpu, true
		}
	}
}

// pin keeps a thread to some CPUs, 0 being the calling one.
func pin(thread int, cpus ...int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(thread, &set); err != nil {
		return fmt.Errorf("keeping to CPU %d: %w", cpus, err)
	}
	return nil
}

// pinSelf keeps all threads of this process to the CPU of the load generator;
// those to come inherit it.
func pinSelf() error {
	if !pinned {
		return nil
	}
	threads, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(filepath.Base(thread))
		if err != nil {
			return err
		}
		if err := pin(id, loadCPU); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

var kernelVersion = regexp.MustCompile(`^\d+(\.\d+)*`)

// kernel is the version of the kernel, without what a distribution adds.
func kernel() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "Linux"
	}
	return "Linux " + kernelVersion.FindString(unix.ByteSliceToString(name.Release[:]))
}

// installedMemory is how many bytes of memory the machine has.
func installedMemory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}
