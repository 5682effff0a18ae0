// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package authtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddybolt/caddy-bolt/auth"
)

// Login is a name and a password.
type Login struct {
	Username, Password string
}

// UserStoreCase is a user store and one user of it.
type UserStoreCase struct {
	// New returns a provisioned store.
	New func(testing.TB) auth.UserStore

	// User is a user of the store who may sign in with Login.
	User  auth.UserRef
	Login Login

	// Inactive is the reference of a user who may not sign in, and
	// InactiveLogin the right name and password. Optional.
	Inactive      auth.UserRef
	InactiveLogin Login

	// Secrets are texts that must appear in no error and no user, such as
	// hashes. The passwords are watched for without being named.
	Secrets []string

	// Down returns the store while what it depends on does not answer.
	// Optional: a store without a database has nothing to lose.
	Down func(testing.TB) auth.UserStore
}

// TestUserStore checks a user store against the contract of auth.UserStore.
func TestUserStore(t *testing.T, c UserStoreCase) {
	t.Helper()
	runChecks(t, c, userStoreChecks)
}

var userStoreChecks = []check[UserStoreCase]{
	{"the case is complete", usersCaseComplete},
	{"the right password gives the user", usersVerify},
	{"wrong, unknown and inactive are one answer", usersRefuse},
	{"what a client shapes is never an outage", usersOdd},
	{"an unknown user takes as long as a wrong password", usersTime},
	{"a user is loaded by issuer and ID", usersLoad},
	{"no password and no hash in a user", usersSecrets},
	{"many requests at once", usersConcurrent},
	{"a cancelled context", usersCancelled},
	{"what could not be decided is not refused", usersDown},
}

// wrong is a password that is not the right one.
func (c UserStoreCase) wrong() string { return "not-" + c.Login.Password }

const nobody = "authtest-nobody"

func usersCaseComplete(tb testing.TB, c UserStoreCase) {
	if c.New == nil || c.User.ID == "" || c.User.Issuer == "" || c.Login.Username == "" || c.Login.Password == "" {
		tb.Fatalf("New, User and Login are required")
	}
	if (c.Inactive.ID == "") != (c.InactiveLogin.Username == "") {
		tb.Fatalf("Inactive and InactiveLogin belong together")
	}
	if c.New(tb) == nil {
		tb.Fatalf("New returned nil")
	}
}

// userOrError fails tb unless there is exactly one of user and error.
func userOrError(tb testing.TB, what string, u *auth.User, err error) {
	tb.Helper()
	if (u == nil) == (err == nil) {
		tb.Errorf("%s: not exactly one of user and error", what)
	}
}

func usersVerify(tb testing.TB, c UserStoreCase) {
	u, err := c.New(tb).Verify(tb.Context(), c.Login.Username, c.Login.Password)
	userOrError(tb, "right password", u, err)
	if u == nil {
		tb.Fatalf("the right password is refused: %v", err)
	}
	if u.UserRef != c.User {
		tb.Errorf("user is %+v, want %+v", u.UserRef, c.User)
	}
	if u.Username == "" {
		tb.Errorf("the user has no Username")
	}
}

func usersRefuse(tb testing.TB, c UserStoreCase) {
	s := c.New(tb)
	logins := map[string]Login{
		"wrong password":     {c.Login.Username, c.wrong()},
		"password with more": {c.Login.Username, c.Login.Password + "x"},
		// hashes that are built on HMAC take a NUL at the end for none, others
		// stop at it: a store refuses passwords that hold one
		"password with a NUL":   {c.Login.Username, c.Login.Password + "\x00"},
		"beginning of password": {c.Login.Username, c.Login.Password[:len(c.Login.Password)-1]},
		"empty password":        {c.Login.Username, ""},
		"unknown user":          {nobody, c.Login.Password},
		"unknown, no password":  {nobody, ""},
		"empty name":            {"", c.Login.Password},
	}
	if c.InactiveLogin.Username != "" {
		logins["inactive user"] = c.InactiveLogin
		logins["inactive user, wrong password"] = Login{c.InactiveLogin.Username, "not-" + c.InactiveLogin.Password}
	}
	_, first := s.Verify(tb.Context(), c.Login.Username, c.wrong())
	for what, l := range logins {
		u, err := s.Verify(tb.Context(), l.Username, l.Password)
		userOrError(tb, what, u, err)
		switch {
		case u != nil:
			tb.Errorf("%s: accepted", what)
		case !errors.Is(err, auth.ErrInvalidCredentials):
			tb.Errorf("%s: error is not ErrInvalidCredentials: %v", what, err)
		case first != nil && err.Error() != first.Error(), auth.ReasonOf(err) != auth.ReasonOf(first),
			auth.CandidateOf(err) != auth.CandidateOf(first):
			// who may not sign in, who is not there and who mistyped must not
			// be told apart, or names can be collected
			tb.Errorf("%s: told apart from a wrong password", what)
		}
	}
	if reason := auth.ReasonOf(first); !aboutCredential(reason) {
		tb.Errorf("%q is no reason of a bad credential", reason)
	}
}

// usersOdd sends what databases refuse to store: a client must not be able to
// cause what looks like an outage.
func usersOdd(tb testing.TB, c UserStoreCase) {
	s := c.New(tb)
	long := strings.Repeat("a", 100_000)
	for what, l := range map[string]Login{
		"name with a NUL":            {c.Login.Username + "\x00", c.Login.Password},
		"name in bad UTF-8":          {"\xff\xfe", c.Login.Password},
		"password in bad UTF-8":      {c.Login.Username, "\xff\xfe"},
		"name of 100 KB":             {long, c.Login.Password},
		"password of 100 KB":         {c.Login.Username, long},
		"name that ends a statement": {"'; DROP TABLE users; --", c.Login.Password},
		"name that is always true":   {"' OR '1'='1", c.Login.Password},
		"name of a pattern":          {"%", c.Login.Password},
	} {
		var u *auth.User
		var err error
		within(tb, what, func() { u, err = s.Verify(tb.Context(), l.Username, l.Password) })
		if u != nil || !errors.Is(err, auth.ErrInvalidCredentials) {
			tb.Errorf("%s: error is not ErrInvalidCredentials: %v", what, err)
		}
	}
	for what, ref := range map[string]auth.UserRef{
		"ID with a NUL":   {Issuer: c.User.Issuer, ID: c.User.ID + "\x00"},
		"ID in bad UTF-8": {Issuer: c.User.Issuer, ID: "\xff\xfe"},
		"ID of 100 KB":    {Issuer: c.User.Issuer, ID: long},
		"ID of a pattern": {Issuer: c.User.Issuer, ID: "%"},
		"huge number":     {Issuer: c.User.Issuer, ID: "99999999999999999999999999"},
	} {
		u, err := s.Load(tb.Context(), ref)
		if u != nil || !errors.Is(err, auth.ErrUserNotFound) {
			tb.Errorf("%s: error is not ErrUserNotFound: %v", what, err)
		}
	}
}

// usersTime compares the best of a few tries, generously: hashing takes
// milliseconds and not hashing takes microseconds. The tries take turns, and
// there are more of them while they differ, since other programs run as well.
func usersTime(tb testing.TB, c UserStoreCase) {
	s := c.New(tb)
	took := func(l Login) time.Duration {
		start := time.Now()
		_, _ = s.Verify(tb.Context(), l.Username, l.Password)
		return time.Since(start)
	}
	wrong := Login{c.Login.Username, c.wrong()}
	logins := map[string]Login{"unknown user": {nobody, c.wrong()}}
	if c.InactiveLogin.Username != "" {
		logins["inactive user"] = c.InactiveLogin
	}
	for what, l := range logins {
		known, other := took(wrong), took(l)
		for tries := 1; tries < 12 && (tries < 3 || other < known/4); tries++ {
			known, other = min(known, took(wrong)), min(other, took(l))
		}
		if known < time.Millisecond {
			continue // a hash so cheap tells nothing apart
		}
		if other < known/4 {
			tb.Errorf("%s: answered after %s, a wrong password after %s", what, other, known)
		}
	}
}

func usersLoad(tb testing.TB, c UserStoreCase) {
	s := c.New(tb)
	u, err := s.Load(tb.Context(), c.User)
	userOrError(tb, "the user", u, err)
	if u == nil {
		tb.Fatalf("the user is not found: %v", err)
	}
	verified, err := s.Verify(tb.Context(), c.Login.Username, c.Login.Password)
	if verified == nil {
		tb.Fatalf("the right password is refused: %v", err)
	}
	if u.UserRef != c.User || u.Username != verified.Username || u.Staff != verified.Staff || u.Superuser != verified.Superuser {
		tb.Errorf("Load and Verify return two users")
	}
	refs := map[string]auth.UserRef{
		"another issuer": {Issuer: "https://authtest.example", ID: c.User.ID},
		"no issuer":      {ID: c.User.ID},
		"issuer in part": {Issuer: c.User.Issuer + "/", ID: c.User.ID},
		"unknown ID":     {Issuer: c.User.Issuer, ID: nobody},
		"no ID":          {Issuer: c.User.Issuer},
		"nothing":        {},
	}
	if c.Inactive.ID != "" {
		refs["inactive user"] = c.Inactive
	}
	for what, ref := range refs {
		u, err := s.Load(tb.Context(), ref)
		userOrError(tb, what, u, err)
		if u != nil {
			tb.Errorf("%s: found", what)
		}
		if !errors.Is(err, auth.ErrUserNotFound) {
			tb.Errorf("%s: error is not ErrUserNotFound: %v", what, err)
		}
	}
}

// hashMarks begin the hashes of passwords that are in use.
var hashMarks = []string{"$2a$", "$2b$", "$2y$", "$argon2", "argon2$", "bcrypt$", "bcrypt_sha256$", "pbkdf2_", "scrypt$", "$scrypt", "$5$", "$6$", "$y$", "{SSHA"}

// userText is everything that a user shows.
func userText(u *auth.User) string {
	return fmt.Sprintf("%+v\n%q\n%s\n%s", *u, u.Fields, u.Fields, u.Permissions)
}

func usersSecrets(tb testing.TB, c UserStoreCase) {
	s := c.New(tb)
	secrets := append(slices.Clone(c.Secrets), c.Login.Password, c.wrong())
	if c.InactiveLogin.Password != "" {
		secrets = append(secrets, c.InactiveLogin.Password)
	}
	verified, _ := s.Verify(tb.Context(), c.Login.Username, c.Login.Password)
	loaded, _ := s.Load(tb.Context(), c.User)
	for what, u := range map[string]*auth.User{"Verify": verified, "Load": loaded} {
		if u == nil {
			tb.Fatalf("%s finds no user", what)
		}
		text := userText(u)
		showsNone(tb, what+": the user", text, secrets)
		for _, mark := range hashMarks {
			if strings.Contains(text, mark) {
				tb.Errorf("%s: the user holds a hash", what)
			}
		}
		for name := range u.Fields {
			if strings.Contains(strings.ToLower(name), "password") {
				tb.Errorf("%s: the user has a field %q", what, name)
			}
		}
	}
	for what, call := range map[string]func() error{
		"wrong password": func() error { _, err := s.Verify(tb.Context(), c.Login.Username, c.wrong()); return err },
		"unknown user":   func() error { _, err := s.Verify(tb.Context(), nobody, c.Login.Password); return err },
		"unknown ID": func() error {
			_, err := s.Load(tb.Context(), auth.UserRef{Issuer: c.User.Issuer, ID: nobody})
			return err
		},
		"inactive": func() error {
			_, err := s.Verify(tb.Context(), c.InactiveLogin.Username, c.InactiveLogin.Password)
			return err
		},
	} {
		if err := call(); err != nil {
			showsNone(tb, what+": the error", errorText(err), secrets)
		}
	}
}

func usersConcurrent(tb testing.TB, c UserStoreCase) {
	s := c.New(tb)
	first, err := s.Load(tb.Context(), c.User)
	if first == nil {
		tb.Fatalf("the user is not found: %v", err)
	}
	text := userText(first)
	together(3, func(call int) {
		switch call % 3 {
		case 0:
			if u, err := s.Verify(tb.Context(), c.Login.Username, c.Login.Password); err != nil || u == nil || u.UserRef != c.User {
				tb.Errorf("the right password is refused among others: %v", err)
			}
		case 1:
			if u, err := s.Verify(tb.Context(), c.Login.Username, c.wrong()); u != nil || !errors.Is(err, auth.ErrInvalidCredentials) {
				tb.Errorf("a wrong password is not refused among others: %v", err)
			}
		case 2:
			if u, err := s.Load(tb.Context(), c.User); err != nil || u == nil || u.UserRef != c.User {
				tb.Errorf("the user is not found among others: %v", err)
			}
		}
	})
	if userText(first) != text {
		tb.Errorf("a user changed after it was returned")
	}
}

func usersCancelled(tb testing.TB, c UserStoreCase) {
	s := c.New(tb)
	ctx := cancelled(context.Background())
	var u *auth.User
	var err error
	within(tb, "Verify", func() { u, err = s.Verify(ctx, c.Login.Username, c.Login.Password) })
	userOrError(tb, "Verify", u, err)
	if errors.Is(err, auth.ErrInvalidCredentials) {
		tb.Errorf("Verify: a cancelled context made the password wrong")
	}
	within(tb, "Verify", func() { u, err = s.Verify(ctx, c.Login.Username, c.wrong()) })
	userOrError(tb, "Verify of a wrong password", u, err)
	if u != nil {
		tb.Errorf("Verify: a cancelled context made a wrong password right")
	}
	within(tb, "Load", func() { u, err = s.Load(ctx, c.User) })
	userOrError(tb, "Load", u, err)
	if errors.Is(err, auth.ErrUserNotFound) {
		tb.Errorf("Load: a cancelled context made the user unknown")
	}
}

func usersDown(tb testing.TB, c UserStoreCase) {
	if c.Down == nil {
		return
	}
	s := c.Down(tb)
	secrets := append(slices.Clone(c.Secrets), c.Login.Password)
	var u *auth.User
	var err error
	within(tb, "Verify", func() { u, err = s.Verify(tb.Context(), c.Login.Username, c.Login.Password) })
	userOrError(tb, "Verify", u, err)
	if errors.Is(err, auth.ErrInvalidCredentials) || errors.Is(err, auth.ErrUserNotFound) {
		tb.Errorf("Verify: an outage made the password wrong")
	}
	if u != nil {
		tb.Errorf("Verify: accepted by what could not decide")
	}
	if err != nil {
		showsNone(tb, "Verify: the error", errorText(err), secrets)
	}
	within(tb, "Load", func() { u, err = s.Load(tb.Context(), c.User) })
	userOrError(tb, "Load", u, err)
	if errors.Is(err, auth.ErrUserNotFound) {
		tb.Errorf("Load: an outage made the user unknown")
	}
	if err != nil {
		showsNone(tb, "Load: the error", errorText(err), secrets)
	}
}
