package plugin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"

	"github.com/notaryv2/notation/reason"
)

// InstallSource is where a plugin comes from: a file or a URL. The zero value
// is none.
type InstallSource struct {
	file string
	url  string
	sum  string
}

// FromFile is a program notation-<name>, or an archive (.tar.gz, .tgz, .zip)
// with one. sha256 is the checksum in hexadecimal, "" for none.
func FromFile(path, sha256 string) InstallSource { return InstallSource{file: path, sum: sha256} }

// FromURL is the same at an https URL. A checksum is required.
func FromURL(url, sha256 string) InstallSource { return InstallSource{url: url, sum: sha256} }

func badSource(format string, args ...any) *reason.Error {
	return reason.Errorf(reason.PluginSource, format, args...)
}

// check looks at everything that can be wrong before anything is read.
func (s InstallSource) check() error {
	switch sum, err := hex.DecodeString(s.sum); {
	case s.file == "" && s.url == "":
		return badSource("there is nothing to install from").WithHint("Give a file or a URL.")
	case s.url != "" && s.sum == "":
		return badSource("a plugin is installed from a URL only with its checksum").
			WithHint("Give the SHA-256 checksum that the maker of the plugin publishes, with --sha256sum.")
	case s.sum != "" && (err != nil || len(sum) != sha256.Size):
		return badSource("%s is no SHA-256 checksum", quote(s.sum)).WithHint("Give 64 hexadecimal digits.")
	}
	if s.url == "" {
		return nil
	}
	u, err := url.Parse(s.url)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return badSource("%s is no URL that can be fetched", quote(s.url)).WithHint("Give a URL that begins with https://.")
	}
	return checkURL(u)
}

// checkURL is also asked about each redirect.
func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "https":
		return badSource("plugins are fetched by https only, and not by %s from the host %s", quote(u.Scheme), quote(u.Host)).
			WithHint("Give a URL that begins with https://.")
	case u.User != nil:
		return badSource("the URL holds a user name or a password").WithHint("Download the file yourself, and install it from there.")
	}
	return nil
}

// fileName returns the last element of the path or URL.
func (s InstallSource) fileName() string {
	if s.url == "" {
		return filepath.Base(s.file)
	}
	u, err := url.Parse(s.url)
	if err != nil {
		return ""
	}
	return path.Base(u.Path)
}

// fetch copies the source to a new file, so that it cannot change any more, and
// compares the checksum. The file is positioned at its start.
func (s InstallSource) fetch(ctx context.Context, client *http.Client, to string) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, downloadTimeout)
	defer cancel()
	from, err := s.open(ctx, client)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	file, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, writeFault(err)
	}
	if err := s.copy(ctx, file, from); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (s InstallSource) copy(ctx context.Context, file *os.File, from io.Reader) error {
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, hash), io.LimitReader(from, maxDownload+1))
	switch {
	case ctx.Err() != nil:
		return reason.Wrap(reason.PluginInterrupted, ctx.Err(), "getting the plugin was interrupted")
	case err != nil && s.url != "":
		return reason.Wrap(reason.PluginDownload, err, "the plugin could not be downloaded").WithHint("Check the network, or try again.")
	case err != nil:
		return writeFault(err)
	case n > maxDownload:
		return badSource("the file has more than %d MiB", maxDownload>>20).WithHint("Check that it is a plugin.")
	}
	if want, _ := hex.DecodeString(s.sum); s.sum != "" && subtle.ConstantTimeCompare(want, hash.Sum(nil)) == 0 {
		return reason.Errorf(reason.PluginChecksum, "the file has the SHA-256 checksum %x, not %x", hash.Sum(nil), want).
			WithHint("Do not install it; compare with what the maker of the plugin publishes.")
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return writeFault(err)
	}
	return nil
}

func (s InstallSource) open(ctx context.Context, client *http.Client) (io.ReadCloser, error) {
	if s.url != "" {
		return s.download(ctx, client)
	}
	info, err := os.Stat(s.file) // before opening: a FIFO would wait for its other end
	if err == nil && !info.Mode().IsRegular() {
		return nil, badSource("%q is no regular file", s.file).WithHint("Give the program or an archive with it.")
	}
	if err == nil {
		var file *os.File
		if file, err = os.Open(s.file); err == nil {
			return file, nil
		}
	}
	return nil, reason.Wrap(reason.PluginSource, safePath(err), "the file to install from cannot be read")
}

func (s InstallSource) download(ctx context.Context, client *http.Client) (io.ReadCloser, error) {
	strict := &http.Client{}
	if client != nil {
		*strict = *client
	}
	strict.Jar = nil
	strict.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return badSource("the URL leads through more than %d redirects", maxRedirects)
		}
		r.Header.Del("Referer") // the URL may hold a ticket
		return checkURL(r.URL)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, badSource("the URL cannot be fetched")
	}
	request.Header.Set("Accept-Encoding", "identity") // the checksum is that of the file as it is stored
	response, err := strict.Do(request)
	if err != nil {
		return nil, downloadFault(ctx, err)
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, reason.Errorf(reason.PluginDownload, "the server answered with status %d", response.StatusCode).
			WithHint("Check the URL.")
	}
	if response.ContentLength > maxDownload {
		response.Body.Close()
		return nil, badSource("the file has more than %d MiB", maxDownload>>20).WithHint("Check that the URL is that of a plugin.")
	}
	return response.Body, nil
}

// downloadFault takes the URL out of an error, as its query may hold a ticket.
func downloadFault(ctx context.Context, err error) error {
	if fault, ok := errors.AsType[*url.Error](err); ok {
		err = fault.Err
	}
	switch {
	case ctx.Err() != nil:
		return reason.Wrap(reason.PluginInterrupted, ctx.Err(), "getting the plugin was interrupted")
	case reason.Of(err) != "":
		return err
	}
	return reason.Wrap(reason.PluginDownload, err, "the plugin could not be downloaded").WithHint("Check the URL and the network.")
}
