// Copyright 2026 The caddy-bolt Authors
// SPDX-License-Identifier: Apache-2.0

package revocation

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/caddybolt/caddy-bolt/internal/revoked"
)

// The file has two buckets. "revoked" maps
//
//	kind (1) | length of the issuer (uvarint) | issuer | ID
//
// to
//
//	until (8) | cut-off (8, of users) | CRC-32C of key and value so far (4)
//
// and "about" says which format that is and how many entries there are. bbolt
// itself has checksums of its two first pages only: with these, an entry that
// changed or went missing is found. A third bucket has sessions.
var (
	revokedBucket = []byte("revoked")
	aboutBucket   = []byte("about")
	formatKey     = []byte("format")
	countKey      = []byte("count")
	formatValue   = []byte("caddy-bolt revocations 1")
)

// lockTimeout is how long to wait for another process to let go of the file.
const lockTimeout = time.Second

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged is the error of a file that does not hold what was written.
var errDamaged = errors.New("damaged")

// damaged returns the error of a file that cannot be trusted.
func damaged(path string, why any) error {
	if _, ok := why.(runtime.Error); ok {
		why = "its pages lead to where nothing is"
	}
	return fmt.Errorf("%q is %w: %v; restore it from a backup, or remove it and with it all revocations", path, errDamaged, why)
}

// boltDB is an open file.
type boltDB struct {
	*bbolt.DB
	file *os.File // of the DB, which has a lock on it
}

// openBolt opens the file and adds what it holds to s. If there is no file, it
// makes one; a file that is there and holds nothing is damaged.
func openBolt(path string, s *revoked.Set) (db *boltDB, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := createBolt(path); err != nil {
			return nil, fmt.Errorf("creating %q: %w", path, err)
		}
	}
	// Reading a damaged file makes bbolt panic, or the kernel complain about
	// an address beyond its end.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	db = new(boltDB)
	defer func() {
		if r := recover(); r != nil {
			err = damaged(path, r)
		}
		if err != nil {
			_ = db.close()
			db = nil
		}
	}()
	db.DB, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      lockTimeout,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			file, err := openExisting(name, flag, mode)
			db.file = file
			return file, err
		},
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return db, fmt.Errorf("%q is in use by another process, and two cannot share it: give each its own with the option \"path\" of revocation bolt, or a data folder of its own (XDG_DATA_HOME)", path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return db, damaged(path, err)
	case errors.Is(err, errDamaged):
		return db, damaged(path, "it is empty")
	case err != nil:
		return db, fmt.Errorf("opening %q: %w", path, err)
	}
	if err := checkMeta(db.file, int64(db.Info().PageSize)); err != nil {
		return db, damaged(path, err)
	}
	if err := db.View(func(tx *bbolt.Tx) error {
		if err := load(tx, s); err != nil {
			return err
		}
		return checkSessions(tx)
	}); err != nil {
		return db, damaged(path, err)
	}
	return db, nil
}

// openExisting makes no file, and refuses one without content: bbolt would take
// it for a new one.
func openExisting(name string, flag int, mode os.FileMode) (*os.File, error) {
	file, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("not a regular file")
	case info.Size() == 0:
		err = errDamaged
	default:
		return file, nil
	}
	return nil, errors.Join(err, file.Close())
}

// close closes what was opened, whatever state it is in: a lock that stays would
// keep out the next try. A transaction that broke off may have left bbolt
// locked for ever, so it waits no longer than a while.
func (db *boltDB) close() error {
	if db.file == nil {
		return nil
	}
	closed := make(chan error, 1)
	go func() {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() {
			if r := recover(); r != nil {
				closed <- fmt.Errorf("%v", r)
			}
		}()
		if db.DB == nil {
			closed <- errors.New("it was not opened to the end")
			return
		}
		closed <- db.DB.Close()
	}()
	var err error
	select {
	case err = <-closed:
	case <-time.After(lockTimeout):
		err = errors.New("it takes too long")
	}
	if err != nil {
		db.abandon()
	}
	return err
}

// abandon lets go of the file of a database that broke off. Its memory stays
// mapped until the process ends: nobody can tell who still reads there.
func (db *boltDB) abandon() {
	unlock(db.file)
	_ = db.file.Close()
}

// createBolt makes a file that is complete from the moment it has its name, so
// that an empty one is always a damaged one.
func createBolt(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := tmp.Close(); err != nil {
		return err
	}
	db, err := bbolt.Open(tmp.Name(), 0o600, &bbolt.Options{Timeout: lockTimeout, NoStatistics: true})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucket(revokedBucket); err != nil {
			return err
		}
		about, err := tx.CreateBucket(aboutBucket)
		if err != nil {
			return err
		}
		if err := about.Put(formatKey, formatValue); err != nil {
			return err
		}
		return about.Put(countKey, sealed(countKey, binary.BigEndian.AppendUint64(nil, 0)))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	// A link does not replace the file that another process may have made by
	// now. Not every file system has links.
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(tmp.Name(), path); err != nil {
			return err
		}
	}
	return syncFolder(dir)
}

// syncFolder makes the name of a new file survive a loss of power, where the
// system has a way to.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = f.Sync()
	return f.Close()
}

// checkMeta reads the two first pages of a bbolt file, each of which says where
// the newest and the one but newest transaction begin, with a checksum. bbolt
// makes do with one of them, and goes back to the older transaction.
func checkMeta(file *os.File, pageSize int64) error {
	const header, length = 16, 64 // of a page; of its content, the last 8 bytes being the checksum
	info, err := file.Stat()
	if err != nil {
		return err
	}
	var page [header + length]byte
	for i := range int64(2) {
		if _, err := file.ReadAt(page[:], i*pageSize); err != nil {
			return err
		}
		content := page[header:]
		sum := fnv.New64a()
		_, _ = sum.Write(content[:length-8])
		if binary.NativeEndian.Uint64(content[length-8:]) != sum.Sum64() {
			return fmt.Errorf("checksum of page %d", i)
		}
		if pages := binary.NativeEndian.Uint64(content[40:]); pages > uint64(info.Size()/pageSize) {
			return fmt.Errorf("it is cut short: %d of %d pages", info.Size()/pageSize, pages)
		}
	}
	return nil
}

// load adds all entries to s.
func load(tx *bbolt.Tx, s *revoked.Set) error {
	entries, about := tx.Bucket(revokedBucket), tx.Bucket(aboutBucket)
	if entries == nil || about == nil {
		return errors.New("it holds no revocations")
	}
	if !bytes.Equal(about.Get(formatKey), formatValue) {
		return errors.New("its format is unknown")
	}
	count, err := unsealed(countKey, about.Get(countKey))
	if err != nil || len(count) != 8 {
		return errors.New("number of entries")
	}
	expected, found := binary.BigEndian.Uint64(count), uint64(0)
	var last []byte
	err = entries.ForEach(func(k, v []byte) error {
		found++
		if bytes.Compare(last, k) >= 0 { // the way to one page leads to another
			return fmt.Errorf("entry %d: order", found)
		}
		last = append(last[:0], k...)
		e, err := decodeEntry(k, v)
		if err != nil {
			return fmt.Errorf("entry %d: %w", found, err)
		}
		s.Apply(e)
		return nil
	})
	if err != nil {
		return err
	}
	if found != expected {
		return fmt.Errorf("%d of %d entries", found, expected)
	}
	return nil
}

// boltWriter changes entries within one transaction.
type boltWriter struct {
	revoked, about *bbolt.Bucket
	count          uint64
}

func newBoltWriter(tx *bbolt.Tx) (*boltWriter, error) {
	w := &boltWriter{revoked: tx.Bucket(revokedBucket), about: tx.Bucket(aboutBucket)}
	if w.revoked == nil || w.about == nil {
		return nil, errDamaged
	}
	count, err := unsealed(countKey, w.about.Get(countKey))
	if err != nil || len(count) != 8 {
		return nil, errDamaged
	}
	w.count = binary.BigEndian.Uint64(count)
	return w, nil
}

// put writes an entry, extending the one that is there.
func (w *boltWriter) put(e revoked.Entry) error {
	key := encodeKey(e)
	if old := w.revoked.Get(key); old == nil {
		w.count++
	} else {
		there, err := decodeEntry(key, old)
		if err != nil {
			return err
		}
		e.Until, e.Cutoff = max(e.Until, there.Until), max(e.Cutoff, there.Cutoff)
	}
	return w.revoked.Put(key, encodeValue(key, e))
}

// remove removes an entry unless it ends after the time given.
func (w *boltWriter) remove(e revoked.Entry, endsBefore int64) error {
	key := encodeKey(e)
	old := w.revoked.Get(key)
	if old == nil {
		return nil
	}
	there, err := decodeEntry(key, old)
	if err != nil {
		return err
	}
	if there.Until > endsBefore {
		return nil
	}
	w.count--
	return w.revoked.Delete(key)
}

func (w *boltWriter) finish() error {
	return w.about.Put(countKey, sealed(countKey, binary.BigEndian.AppendUint64(nil, w.count)))
}

func encodeKey(e revoked.Entry) []byte {
	key := make([]byte, 0, 4+len(e.Issuer)+len(e.ID))
	key = append(key, byte(e.Kind))
	key = binary.AppendUvarint(key, uint64(len(e.Issuer)))
	key = append(key, e.Issuer...)
	return append(key, e.ID...)
}

func encodeValue(key []byte, e revoked.Entry) []byte {
	value := binary.BigEndian.AppendUint64(make([]byte, 0, 20), uint64(e.Until))
	if e.Kind == revoked.User {
		value = binary.BigEndian.AppendUint64(value, uint64(e.Cutoff))
	}
	return sealed(key, value)
}

func decodeEntry(key, value []byte) (revoked.Entry, error) {
	if len(key) == 0 {
		return revoked.Entry{}, errors.New("key")
	}
	value, err := unsealed(key, value)
	if err != nil {
		return revoked.Entry{}, err
	}
	e := revoked.Entry{Kind: revoked.Kind(key[0])}
	size := 8
	switch e.Kind {
	case revoked.Token, revoked.Session:
	case revoked.User:
		size = 16
	default:
		return revoked.Entry{}, errors.New("kind")
	}
	issuer, n := binary.Uvarint(key[1:])
	rest := key[1+max(n, 0):]
	if n <= 0 || issuer > uint64(len(rest)) || len(value) != size {
		return revoked.Entry{}, errors.New("length")
	}
	e.Issuer, e.ID = string(rest[:issuer]), string(rest[issuer:])
	e.Until = int64(binary.BigEndian.Uint64(value))
	if e.Kind == revoked.User {
		e.Cutoff = int64(binary.BigEndian.Uint64(value[8:]))
	}
	if e.ID == "" || e.Until == 0 {
		return revoked.Entry{}, errors.New("no ID or no end")
	}
	return e, nil
}

// sealed appends the checksum of key and value.
func sealed(key, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, checksum(key, value))
}

// unsealed checks and removes the checksum.
func unsealed(key, value []byte) ([]byte, error) {
	n := len(value) - 4
	if n < 0 || binary.BigEndian.Uint32(value[n:]) != checksum(key, value[:n]) {
		return nil, errors.New("checksum")
	}
	return value[:n], nil
}

func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}
