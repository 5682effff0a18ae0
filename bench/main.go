// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench measures what authentication costs a request: here, and with
// others. It writes docs/PERFORMANCE.md, docs/performance.svg, the section of
// README.md that quotes them, and the figures behind them all.
//
//	go run ./bench [-mode full|quick] [-only <regexp>] [-resume] [-out <folder>] [-render]
//
// Every row compares two servers that run at the same time and are asked in
// turn: one that protects something, and the same without authentication. What
// counts is the CPU time of their processes, which neither the load generator
// nor the other server adds to.
//
// A quick run shows where it goes and is written below .cache; the figures of
// the documentation are those of a full one, on a machine that does nothing
// else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	mode   string
	only   *regexp.Regexp // of IDs
	out    string
	resume bool
	render bool
}

// partial is where the figures of a run are that has not ended.
func (o options) partial() string { return filepath.Join(".cache", "bench", o.mode+".json") }

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.mode, "mode", "full", "full or quick")
	only := flags.String("only", "", "measure the rows whose ID matches, and keep the others as they were")
	flags.StringVar(&o.out, "out", "", "where to write; full: the repository, quick: .cache/bench/quick")
	flags.BoolVar(&o.resume, "resume", false, "go on with a run that was interrupted")
	flags.BoolVar(&o.render, "render", false, "measure nothing: write the documents from the figures again")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if _, ok := efforts[o.mode]; !ok || flags.NArg() > 0 {
		return o, fmt.Errorf("BENCH is full or quick, not %q", o.mode)
	}
	if *only != "" {
		var err error
		if o.only, err = regexp.Compile(*only); err != nil {
			return o, err
		}
	}
	if o.out == "" {
		o.out = "."
		if o.mode == "quick" {
			o.out = filepath.Join(".cache", "bench", "quick")
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	if _, err := os.Stat("go.mod"); err != nil {
		return errors.New("runs at the root of the repository")
	}
	if o.mode != "full" && !o.render && isRepository(o.out) {
		return fmt.Errorf("the documentation is made of a full run, not of a %s one: -out names another folder", o.mode)
	}
	r := &results{}
	switch {
	case o.resume:
		r, err = readResults(o.partial())
	case o.render:
		r, err = readResults(filepath.Join(o.out, figuresFile))
	case o.only != nil:
		if r, err = readResults(filepath.Join(o.out, figuresFile)); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	if o.only != nil && !o.render && r.Mode != "" && r.Mode != o.mode {
		return fmt.Errorf("the figures that would be kept are those of a %s run: -mode %s, or measure everything", r.Mode, r.Mode)
	}
	if !o.render {
		if err := measure(ctx, o, r); err != nil {
			return err
		}
	}
	return write(o.out, r)
}

// measure fills in the results. A row that fails says so and leaves the others
// alone.
func measure(ctx context.Context, o options, r *results) error {
	begin := time.Now()
	e := efforts[o.mode]
	date, load := begin.UTC().Truncate(time.Second), loadAverage()
	kept := o.only != nil && r.Mode != ""
	if !kept {
		r.Mode, r.Date, r.Load, r.Effort = o.mode, date, load, e
	}
	if err := pinSelf(); err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	l, err := newLab(ctx, root)
	if err != nil {
		return err
	}
	defer l.close()

	earlier := r.Took
	tasks := slices.DeleteFunc(l.tasks(ctx, r, e), func(t task) bool {
		return o.only != nil && !o.only.MatchString(t.id) || slices.Contains(r.Done, t.id)
	})
	for i, t := range tasks {
		fmt.Fprintf(os.Stderr, "%4.0fs  %2d/%d  %-20s ", time.Since(begin).Seconds(), i+1, len(tasks), t.id)
		text, err := t.run()
		if err != nil && !errors.Is(err, errMissing) { // such as a port that somebody took meanwhile
			text, err = t.run()
		}
		if err != nil { // its folder is gone when somebody reads this
			err = errors.New(strings.ReplaceAll(err.Error(), l.folder+"/", ""))
			text = err.Error()
		}
		fmt.Fprintln(os.Stderr, text)
		if ctx.Err() != nil { // it was interrupted
			return ctx.Err()
		}
		r.outcome(t.id, err)
		r.Done = append(r.Done, t.id)
		if o.only != nil {
			continue
		}
		r.Took = earlier + time.Since(begin).Minutes()
		if err := r.save(o.partial()); err != nil {
			return err
		}
	}
	machine := l.describe(ctx)
	r.Done = nil
	if !kept {
		r.Machine, r.Since = machine, nil
	} else {
		for _, t := range tasks {
			r.Since = slices.DeleteFunc(r.Since, func(s since) bool { return s.ID == t.id })
			r.Since = append(r.Since, since{ID: t.id, Date: date, CPU: machine.CPU, Load: load})
		}
	}
	if err := os.Remove(o.partial()); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// task is one thing to measure. It notes its result and returns it in a few
// words.
type task struct {
	id  string
	run func() (string, error)
}

// tasks are all that there is to measure.
func (l *lab) tasks(ctx context.Context, r *results, e effort) []task {
	var list []task
	for _, w := range rows() {
		list = append(list, task{w.ID, func() (string, error) {
			d, err := l.measureRow(ctx, w, e)
			r.put(measured{w, d})
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%+.2f µs (%+.2f to %+.2f) on %.2f, %d pairs of %d", d.Added, d.Low, d.High, d.Base.CPU, d.Pairs, d.Requests), nil
		}})
	}
	list = append(list,
		task{"first-log-in", func() (text string, err error) {
			r.FirstLogIn, err = l.measureFirstLogIn(ctx)
			return fmt.Sprintf("%.0f ms", r.FirstLogIn), err
		}},
		task{"flood", func() (string, error) {
			f, err := l.measureFlood(ctx)
			if r.Flood = f; err != nil {
				return "", err
			}
			return fmt.Sprintf("%d fetches; %.0f µs alone, %.0f beside valid tokens, %.0f beside unknown kids", f.Fetches, f.Alone, f.Valid, f.Unknown), nil
		}},
	)
	for _, p := range r.propagations(e) {
		list = append(list, task{p.id, func() (string, error) {
			d, err := l.measurePropagation(ctx, p.store, p.trials)
			if *p.result = d; err != nil {
				return "", err
			}
			return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", d.P50, d.P99), nil
		}})
	}
	for _, b := range benchmarks {
		list = append(list, task{"go " + b.pkg, func() (string, error) {
			stages, err := l.runBenchmarks(ctx, b.pkg, b.pattern, e)
			r.putStages(b.pkg, stages)
			return fmt.Sprintf("%d benchmarks", len(stages)), err
		}})
	}
	for _, pkg := range millionPackages {
		list = append(list, task{"million " + pkg, func() (string, error) {
			loads, err := l.loadMillion(ctx, pkg, e)
			r.putMillions(pkg, loads)
			return fmt.Sprintf("%d stores", len(loads)), err
		}})
	}
	return list
}

// measureRow starts both sides, makes sure that they do what they should, and
// compares them.
func (l *lab) measureRow(ctx context.Context, w row, e effort) (*difference, error) {
	base, err := w.base(ctx, l)
	if err != nil {
		return nil, err
	}
	defer base.stop()
	own, err := w.own(ctx, l)
	if err != nil {
		return nil, err
	}
	defer own.stop()
	if err := verify(ctx, base, false); err != nil {
		return nil, err
	}
	if err := verify(ctx, own, w.refuses); err != nil {
		return nil, err
	}
	return compare(ctx, base, own, e)
}
