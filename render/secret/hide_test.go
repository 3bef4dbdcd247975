package secret

import (
	"errors"
	"io/fs"
	"testing"
)

func TestHide(t *testing.T) {
	err := Hide("bind as cn=dcs with hunter2 and hunter2", fs.ErrPermission, New("hunter2"), Text{})
	if want := "bind as cn=dcs with **** and ****"; err.Error() != want || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v, want %q", err, want)
	}
}
