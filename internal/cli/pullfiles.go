package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/notaryv2/notation/oci"
	"github.com/notaryv2/notation/reason"
)

// Modes of what is fetched, less the umask: it is for others, like what any
// other program writes there.
const (
	modePulledFile = 0o666
	modePulledDir  = 0o777
)

// fileWriter writes files into a directory, all or none. They are received in a
// directory of their own in it. Nothing is ever written outside, whatever
// symbolic links there are.
type fileWriter struct {
	dir    string
	made   []string // directories above that were not there, outermost first
	root   *os.Root
	temp   string // name of the directory for what is not in its place yet
	force  bool
	placed bool
}

// newFileWriter makes the directory, and checks that nothing is in the way of
// the files.
func newFileWriter(dir string, files []pullFile, force bool) (w *fileWriter, err error) {
	w = &fileWriter{dir: dir, force: force}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); err == nil || !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		w.made = append(w.made, d)
	}
	slices.Reverse(w.made)
	if err := os.MkdirAll(dir, modePulledDir); err != nil {
		return w, w.failed(err)
	}
	if w.root, err = os.OpenRoot(dir); err != nil {
		return w, w.failed(err)
	}
	for _, f := range files {
		if err := w.free(f.name); err != nil {
			return w, err
		}
	}
	temp, err := os.MkdirTemp(dir, ".notation-pull-*")
	if err != nil {
		return w, w.failed(err)
	}
	w.temp = filepath.Base(temp)
	return w, nil
}

func (w *fileWriter) failed(err error) error {
	return reason.Wrap(reason.ConfigWrite, pathCause(err), "the files could not be written into %s", quote(w.dir)).
		WithHint("check the path and who may write there")
}

// free reports what stands where a file is to be written.
func (w *fileWriter) free(name string) error {
	info, err := w.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return w.failed(err)
	case info.IsDir():
		return reason.Errorf(reason.ConfigNotRegular, "a directory stands where the file %s is to be written", quote(w.path(name))).
			WithHint("write into another directory")
	case !w.force:
		return w.exists(name)
	}
	return nil
}

func (w *fileWriter) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

func (w *fileWriter) exists(name string) error {
	return reason.Errorf(reason.ConfigExists, "file %s is there already", quote(w.path(name))).
		WithHint("--force replaces files; -o writes them elsewhere")
}

// receive fetches a file and compares it with its digest.
func (w *fileWriter) receive(ctx context.Context, a *app, source oci.Source, f *pullFile) error {
	content, err := source.Open(ctx, f.content)
	if err != nil {
		return err
	}
	defer content.Close()
	entries, err := fs.ReadDir(w.root.FS(), w.temp)
	if err != nil {
		return w.failed(err)
	}
	temp := path.Join(w.temp, strconv.Itoa(len(entries)))
	file, err := w.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, modePulledFile)
	if err != nil {
		return w.failed(err)
	}
	shown := a.progress(f.name, f.content.Size)
	defer shown.done()
	read := &watched{r: content, shown: shown}
	_, err = io.Copy(file, read)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	switch {
	case read.err != nil:
		return reason.Wrap(reason.Of(read.err), read.err, "file %s could not be fetched", quote(f.name))
	case err != nil:
		return w.failed(err)
	}
	f.temp = temp
	return nil
}

// watched shows how far a reader is, and keeps its error.
type watched struct {
	r     io.Reader
	shown *progress
	err   error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.shown.add(n)
	if err != nil && err != io.EOF { //nolint:errorlint // as io.Reader has it
		w.err = err
	}
	return n, err
}

// place gives all files their names. If one cannot have it, those before it lose
// theirs again, and what they replaced is back.
func (w *fileWriter) place(files []pullFile) (err error) {
	var undo []func()
	defer func() {
		if err == nil {
			w.placed = true
			return
		}
		for _, u := range slices.Backward(undo) {
			u()
		}
	}()
	for i := range files {
		f := &files[i]
		if err := w.mkdirs(path.Dir(f.name), &undo); err != nil {
			return w.failed(err)
		}
		backup := f.temp + "-old"
		if err := w.free(f.name); err != nil {
			return err
		}
		if _, err := w.root.Lstat(f.name); err == nil {
			if err := w.replace(f, backup); err != nil {
				return w.failed(err)
			}
			undo = append(undo, func() { _ = w.root.Rename(backup, f.name) })
			continue
		}
		if err := w.create(f); errors.Is(err, fs.ErrExist) {
			return w.exists(f.name)
		} else if err != nil {
			return w.failed(err)
		}
		undo = append(undo, func() { _ = w.root.Remove(f.name) })
	}
	return nil
}

// mkdirs makes the directories above a file.
func (w *fileWriter) mkdirs(dir string, undo *[]func()) error {
	if dir == "." {
		return nil
	}
	if err := w.mkdirs(path.Dir(dir), undo); err != nil {
		return err
	}
	err := w.root.Mkdir(dir, modePulledDir)
	if err == nil {
		*undo = append(*undo, func() { _ = w.root.Remove(dir) })
	} else if info, statErr := w.root.Stat(dir); statErr == nil && info.IsDir() {
		return nil
	}
	return err
}

// replace puts a file in the place of another, which is kept as backup. There is
// no moment without either, but on file systems without hard links.
func (w *fileWriter) replace(f *pullFile, backup string) error {
	if err := w.root.Link(f.name, backup); err != nil {
		if err := w.root.Rename(f.name, backup); err != nil {
			return err
		}
	}
	if err := w.root.Rename(f.temp, f.name); err != nil {
		return errors.Join(err, w.root.Rename(backup, f.name))
	}
	return nil
}

// create gives a file its name unless something has it.
func (w *fileWriter) create(f *pullFile) error {
	err := w.root.Link(f.temp, f.name)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	// Without hard links, an empty file keeps the place.
	claim, err := w.root.OpenFile(f.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, modePulledFile)
	if err != nil {
		return err
	}
	if err = errors.Join(claim.Close(), w.root.Rename(f.temp, f.name)); err != nil {
		_ = w.root.Remove(f.name)
	}
	return err
}

// close removes what is not in its place and, unless the files are, the
// directories that were made for them.
func (w *fileWriter) close() {
	if w.root != nil {
		if w.temp != "" {
			_ = w.root.RemoveAll(w.temp)
		}
		_ = w.root.Close()
	}
	if w.placed {
		return
	}
	for _, dir := range slices.Backward(w.made) {
		_ = os.Remove(dir)
	}
}
