package remote

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/notaryv2/notation/internal/atomicfile"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// tokenFiles keeps tokens between runs, in a directory of the user's own: one
// file, readable by nobody else, for each registry and set of scopes. A token is
// kept only if the token service has said how long it holds, and is used only
// for the registry and scopes, and with the credential, that it was given for:
// who can move the files but not read them must not lead a token elsewhere.
// Without the credential the files say nothing about it. Whatever goes wrong
// costs a request for a token. A nil tokenFiles keeps nothing.
type tokenFiles struct {
	dir string
	now func() time.Time
}

// tokenFile is the content of a file.
type tokenFile struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
	Binding string    `json:"binding"` // see bind
}

const (
	saltFile    = "salt"
	saltBytes   = 32
	tokenSuffix = ".json"
)

// salt returns what keeps the names and digests here from being guessed, made at
// the first use; nil if there is none.
func (t *tokenFiles) salt(create bool) []byte {
	path := filepath.Join(t.dir, saltFile)
	salt, err := atomicfile.Read(path, saltBytes)
	if err == nil && len(salt) == saltBytes {
		return salt
	}
	if !create || !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	fresh := make([]byte, saltBytes)
	_, _ = rand.Read(fresh) // never fails
	w := atomicfile.Writer{}
	if w.MkdirAll(t.dir) != nil {
		return nil
	}
	if w.Create(path, fresh, atomicfile.ModeSecret) == nil {
		return fresh
	}
	if salt, err = atomicfile.Read(path, saltBytes); err != nil || len(salt) != saltBytes { // made by another process
		return nil
	}
	return salt
}

// sum is a keyed digest of texts.
func sum(salt []byte, parts ...string) string {
	h := hmac.New(sha256.New, salt)
	for _, p := range parts {
		_ = binary.Write(h, binary.BigEndian, uint32(len(p))) // a hash never fails
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (t *tokenFiles) path(salt []byte, origin, scopes string) string {
	return filepath.Join(t.dir, sum(salt, "token", origin, scopes)+tokenSuffix)
}

// bind returns the sum that ties what a file says to where and by whom it may be
// used. It depends on all that the file's name does, as a file can be renamed.
func (f *tokenFile) bind(salt []byte, origin, scopes string, c auth.Credential) string {
	return sum(salt, "binding", origin, scopes, f.Token, f.Expires.UTC().Format(time.RFC3339Nano),
		c.Username, c.Password, c.RefreshToken, c.AccessToken)
}

// load returns the token for a registry, as scheme://host, and scopes, or "".
// credential is called only if there is one that still holds.
func (t *tokenFiles) load(origin, scopes string, credential func() (auth.Credential, error)) string {
	if t == nil || scopes == "" {
		return ""
	}
	salt := t.salt(false)
	if salt == nil {
		return ""
	}
	path := t.path(salt, origin, scopes)
	data, err := atomicfile.Read(path, maxTokenFile)
	if err != nil {
		return ""
	}
	var f tokenFile
	if json.Unmarshal(data, &f) != nil || !usableToken(f.Token) || !t.now().Add(tokenMargin).Before(f.Expires) ||
		f.Expires.After(t.now().Add(maxTokenAge)) {
		_ = os.Remove(path)
		return ""
	}
	c, err := credential()
	if err != nil || !hmac.Equal([]byte(f.bind(salt, origin, scopes, c)), []byte(f.Binding)) {
		return ""
	}
	return f.Token
}

// save keeps a token that holds for some time from now.
func (t *tokenFiles) save(origin, scopes, token string, holds time.Duration, c auth.Credential) {
	holds = min(holds, maxTokenAge)
	if t == nil || scopes == "" || holds <= tokenMargin || !usableToken(token) {
		return
	}
	salt := t.salt(true)
	if salt == nil {
		return
	}
	f := tokenFile{Token: token, Expires: t.now().Add(holds).UTC().Truncate(time.Second)}
	f.Binding = f.bind(salt, origin, scopes, c)
	data, err := json.Marshal(f)
	if err != nil || len(data) > maxTokenFile {
		return
	}
	_ = (atomicfile.Writer{}).Write(t.path(salt, origin, scopes), data, atomicfile.ModeSecret)
	t.tidy()
}

// isTokenFile reports whether a file of that name was made here, or begun and left
// by a program that died. What somebody else has put into the directory stays.
func isTokenFile(name string) bool {
	rest, begun := strings.CutPrefix(name, ".")
	hexadecimal := strings.TrimLeft(rest, "0123456789abcdef")
	if len(rest)-len(hexadecimal) != hex.EncodedLen(sha256.Size) {
		return false
	}
	return !begun && hexadecimal == tokenSuffix ||
		begun && strings.HasPrefix(hexadecimal, tokenSuffix+".") && strings.HasSuffix(hexadecimal, ".tmp")
}

// tidy removes files that are too old to hold a token of use.
func (t *tokenFiles) tidy() {
	t.remove(func(info fs.FileInfo) bool { return t.now().Sub(info.ModTime()) > maxTokenAge })
}

// ForgetTokens removes the tokens that are kept in a directory of
// [Options.TokenDir], those of all registries: the files do not tell of which they
// are. "" and a directory that does not exist hold none.
func ForgetTokens(dir string) {
	(&tokenFiles{dir: dir}).remove(func(fs.FileInfo) bool { return true })
}

// remove removes files of tokens.
func (t *tokenFiles) remove(which func(fs.FileInfo) bool) {
	if info, err := os.Stat(t.dir); err != nil || !info.IsDir() { // a FIFO would be waited for
		return
	}
	f, err := os.Open(t.dir)
	if err != nil {
		return
	}
	entries, _ := f.ReadDir(maxTokenFiles)
	_ = f.Close()
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode()&fs.ModeType == 0 && isTokenFile(e.Name()) && which(info) {
			_ = os.Remove(filepath.Join(t.dir, e.Name()))
		}
	}
}

// usableToken reports whether a token may stand in a header.
func usableToken(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// lifetime reads from the answer of a token service for how long its token
// holds, or 0. The specification's default of 60 seconds for services that do
// not say is not worth keeping.
func lifetime(body []byte) time.Duration {
	var answer struct {
		ExpiresIn float64 `json:"expires_in"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.ExpiresIn <= 0 {
		return 0
	}
	return time.Duration(min(answer.ExpiresIn, maxTokenAge.Seconds()) * float64(time.Second))
}
