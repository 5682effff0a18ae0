// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// machine is where it was measured, and with what. It names no host.
type machine struct {
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Memory   int64             `json:"memory"`
	Kernel   string            `json:"kernel"`
	Pinned   bool              `json:"pinned"`
	Versions map[string]string `json:"versions"`
}

// describe looks around.
func (l *lab) describe(ctx context.Context) machine {
	m := machine{Cores: runtime.NumCPU(), Pinned: pinned, Kernel: kernel(), Memory: installedMemory(), Versions: map[string]string{}}
	m.CPU = fieldOf("/proc/cpuinfo", "model name")
	m.CPU = strings.TrimSpace(m.CPU + " family " + fieldOf("/proc/cpuinfo", "cpu family") + " model " + fieldOf("/proc/cpuinfo", "model"))
	if info, err := buildinfo.ReadFile(l.caddy); err == nil {
		m.Versions["Go"] = strings.TrimPrefix(info.GoVersion, "go")
		for _, dep := range info.Deps {
			switch dep.Path {
			case "github.com/caddyserver/caddy/v2":
				m.Versions["Caddy"] = strings.TrimPrefix(dep.Version, "v")
			case "github.com/lestrrat-go/jwx/v2":
				m.Versions["jwx"] = strings.TrimPrefix(dep.Version, "v")
			}
		}
	}
	m.Versions["golang-jwt"] = strings.TrimPrefix(l.moduleVersion(ctx, "github.com/golang-jwt/jwt/v5"), "v")
	haproxy, _ := haproxyPath() // without it, its rows say so
	for name, command := range map[string][]string{
		"HAProxy": {haproxy, "-v"}, "Redis": {"redis-server", "--version"}, "MariaDB": {"/usr/sbin/mariadbd", "--version"}, "Node.js": {"node", "--version"},
	} {
		out, err := exec.CommandContext(ctx, command[0], command[1:]...).Output()
		if version := versionNumber.FindString(string(out)); err == nil && version != "" {
			m.Versions[name] = version
		} else {
			m.Versions[name] = "not installed"
		}
	}
	for _, name := range []string{"fastify", "@fastify/jwt"} {
		var manifest struct{ Version string }
		data, err := os.ReadFile(filepath.Join(l.cache, "fastify", "node_modules", filepath.FromSlash(name), "package.json"))
		if err == nil && json.Unmarshal(data, &manifest) == nil {
			m.Versions[name] = manifest.Version
		} else {
			m.Versions[name] = "not installed"
		}
	}
	return m
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

// moduleVersion is that of a module in go.mod.
func (l *lab) moduleVersion(ctx context.Context, path string) string {
	cmd := exec.CommandContext(ctx, goCommand(), "list", "-m", "-f", "{{.Version}}", path)
	cmd.Dir = l.repository
	out, err := cmd.Output()
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(out))
}

// fieldOf returns the first value of a name in a file of /proc.
func fieldOf(file, name string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// results is everything that was measured in one run.
type results struct {
	Mode    string    `json:"mode"`
	Date    time.Time `json:"date"`
	Took    float64   `json:"took"` // minutes
	Load    float64   `json:"load"` // of the machine before it began: processes that want a CPU
	Effort  effort    `json:"effort"`
	Machine machine   `json:"machine"`

	Rows        []measured        `json:"rows"`
	Propagation *propagation      `json:"propagation,omitempty"` // by Redis
	ByDatabase  *propagation      `json:"propagation_postgresql,omitempty"`
	ByPolling   *propagation      `json:"propagation_mariadb,omitempty"`
	Millions    []million         `json:"millions,omitempty"`
	Flood       *flood            `json:"flood,omitempty"`
	FirstLogIn  float64           `json:"first_log_in"` // ms of CPU time for a password never seen
	Stages      []stage           `json:"stages"`
	Failed      map[string]string `json:"failed,omitempty"` // what could not be measured, and why
	Done        []string          `json:"done,omitempty"`   // of a run that has not ended
	Since       []since           `json:"since,omitempty"`
}

// since is a task that was run alone after the run of which the rest is, perhaps
// on another machine.
type since struct {
	ID   string    `json:"id"`
	Date time.Time `json:"date"`
	CPU  string    `json:"cpu"`
	Load float64   `json:"load"`
}

// measured is a row with its figures; none if it failed.
type measured struct {
	row

	Figures *difference `json:"figures,omitempty"`
}

// put notes a row, in place of an earlier one.
func (r *results) put(m measured) {
	if i := slices.IndexFunc(r.Rows, func(old measured) bool { return old.ID == m.ID }); i >= 0 {
		r.Rows[i] = m
		return
	}
	r.Rows = append(r.Rows, m)
}

// putStages notes the Go benchmarks of a package.
func (r *results) putStages(pkg string, stages []stage) {
	r.Stages = slices.DeleteFunc(r.Stages, func(old stage) bool { return old.Package == pkg })
	r.Stages = append(r.Stages, stages...)
}

// outcome notes whether something could be measured.
func (r *results) outcome(id string, err error) {
	if err == nil {
		delete(r.Failed, id)
		return
	}
	if r.Failed == nil {
		r.Failed = map[string]string{}
	}
	r.Failed[id] = err.Error()
}

// figures returns those of a row, nil if it was not measured.
func (r *results) figures(id string) *difference {
	for _, m := range r.Rows {
		if m.ID == id {
			return m.Figures
		}
	}
	return nil
}

// stageOf returns a Go benchmark, nil if it was not run.
func (r *results) stageOf(pkg, name string) *stage {
	for i := range r.Stages {
		if r.Stages[i].Package == pkg && r.Stages[i].Name == name {
			return &r.Stages[i]
		}
	}
	return nil
}

// readResults reads what save wrote.
func readResults(path string) (*results, error) {
	r := new(results)
	data, err := os.ReadFile(path)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(data, r)
}

// save writes the figures.
func (r *results) save(path string) error {
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// loadAverage is that of the last minute.
func loadAverage() float64 {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	var load float64
	_, _ = fmt.Sscan(string(data), &load) // 0 if it cannot be read
	return load
}
