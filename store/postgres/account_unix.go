//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is whom the server runs as when this process is root.
type account struct {
	name     string
	uid, gid uint32
}

// chooseAccount returns nil unless this process is root: PostgreSQL refuses to run as root. The account is the owner of
// the data that is there already, else postgres, else nobody.
func chooseAccount(home string) (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	a, err := ownerOf(filepath.Join(home, "data"))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"postgres", "nobody"} {
		if a != nil {
			break
		}
		a = lookup(name)
	}
	if a == nil {
		return nil, errors.New("postgres does not run as root, and there is neither an account postgres nor nobody: run as another user, or set DATABASE_URL to a server that runs")
	}
	return a, a.mayReach(home)
}

func lookup(name string) *account {
	u, err := user.Lookup(name)
	if err != nil {
		return nil
	}
	uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
	if uidErr != nil || gidErr != nil || uid == 0 {
		return nil
	}
	return &account{name: name, uid: uint32(uid), gid: uint32(gid)}
}

// ownerOf returns the owner of the data folder, nil if there is no folder yet or root made it.
func ownerOf(data string) (*account, error) {
	info, err := os.Stat(data)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at the data folder: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == 0 {
		return nil, nil
	}
	return &account{name: "user " + strconv.FormatUint(uint64(stat.Uid), 10), uid: stat.Uid, gid: stat.Gid}, nil
}

// mayReach checks that the account may enter every folder above home: the kernel's own answer would be a bare
// "permission denied" from initdb.
func (a *account) mayReach(home string) error {
	for dir := filepath.Dir(home); ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("look at %s: %w", dir, err)
		}
		if !a.mayEnter(info) {
			return fmt.Errorf("postgres runs as the account %s, which may not enter %s (%s): choose a data folder elsewhere, /var/lib/enlace/dev for example",
				a.name, dir, info.Mode().Perm())
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

func (a *account) mayEnter(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	switch {
	case stat.Uid == a.uid:
		return info.Mode()&0o100 != 0
	case stat.Gid == a.gid:
		return info.Mode()&0o010 != 0
	}
	return info.Mode()&0o001 != 0
}

// own hands a file or folder to the account.
func (a *account) own(path string) error {
	if err := os.Lchown(path, int(a.uid), int(a.gid)); err != nil {
		return fmt.Errorf("give %s to the account %s: %w", path, a.name, err)
	}
	return nil
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: []uint32{}}
}
