package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// tick is the unit of times in /proc (proc_pid_stat(5), USER_HZ, which is 100 on
// every architecture that Go knows).
const tick = 10 * time.Millisecond

// Of returns the processor time that a process has used, user and system, in
// hundredths of a second.
func Of(pid int) (time.Duration, error) {
	s, err := readStat(pid)
	return s.cpu, err
}

// Children returns the processes that this one has started and not waited for,
// by the name of the program, which Linux cuts to 15 bytes.
func Children(name string) ([]int, error) {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var found []int
	for _, dir := range all {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		// What has ended meanwhile is none.
		if s, err := readStat(pid); err == nil && s.parent == os.Getpid() && s.name == name {
			found = append(found, pid)
		}
	}
	return found, nil
}

// stat is what is read of /proc/PID/stat.
type stat struct {
	name   string
	parent int
	cpu    time.Duration
}

func readStat(pid int) (stat, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(raw)
}

// parseStat reads the fields comm (2), ppid (4), utime (14) and stime (15). The
// name stands in parentheses and may hold anything, parentheses too.
func parseStat(raw []byte) (stat, error) {
	first, last := bytes.IndexByte(raw, '('), bytes.LastIndexByte(raw, ')')
	if first < 0 || last < first {
		return stat{}, fmt.Errorf("no name in %q", raw)
	}
	s := stat{name: string(raw[first+1 : last])}
	fields := bytes.Fields(raw[last+1:])
	if len(fields) < 13 {
		return stat{}, fmt.Errorf("too little in %q", raw)
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return stat{}, err
	}
	s.parent = parent
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return stat{}, err
		}
		s.cpu += time.Duration(ticks) * tick
	}
	return s, nil
}
