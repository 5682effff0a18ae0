// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package testservers

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// ids returns the numbers of the account; false where the tests may not, and
// need not, become somebody else.
func ids(account string) (uid, gid int, ok bool) {
	if os.Geteuid() != 0 {
		return 0, 0, false
	}
	u, err := user.Lookup(account)
	if err != nil {
		return 0, 0, false
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	return uid, gid, uidErr == nil && gidErr == nil
}

// giveTo makes the account the owner of the path.
func giveTo(account, path string) error {
	if uid, gid, ok := ids(account); ok {
		return os.Chown(path, uid, gid)
	}
	return nil
}

// become runs the command as the account.
func become(cmd *exec.Cmd, account string) {
	if uid, gid, ok := ids(account); ok {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	}
}

// pause stops a process, or lets it go on.
func pause(pid int, stop bool) error {
	if stop {
		return syscall.Kill(pid, syscall.SIGSTOP)
	}
	return syscall.Kill(pid, syscall.SIGCONT)
}
