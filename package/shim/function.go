// Package function hands its process over to the program beside it.
//
// The Cloud Functions API has no runtime for Rust. It builds this package into a Go program, whose first act is to
// become ours: the same process, with the same environment, and nothing of Go left in it.
package function

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
)

// Where the build leaves the files that were uploaded, seen from the directory of the start and from the root.
var folders = []string{
	"serverless_function_source_code",
	"/workspace/serverless_function_source_code",
	".",
}

func init() {
	for _, folder := range folders {
		program, err := filepath.Abs(filepath.Join(folder, "bootstrap"))
		if err != nil {
			continue
		}
		if info, err := os.Stat(program); err != nil || !info.Mode().IsRegular() {
			continue
		}
		fail(become(program, filepath.Dir(program)))
	}
	fail(errors.New("no file `bootstrap` beside the source"))
}

// become replaces this process by the program, in the folder of its files. It returns only if that fails.
func become(program, folder string) error {
	if err := os.Chdir(folder); err != nil {
		return err
	}
	err := syscall.Exec(program, []string{program}, os.Environ())
	if !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.ENOEXEC) {
		return err
	}
	// The mode may be lost on the way, and the folder may not be ours to mend it.
	copied, err := copyOf(program)
	if err != nil {
		return err
	}
	return syscall.Exec(copied, []string{program}, os.Environ())
}

func copyOf(program string) (string, error) {
	from, err := os.Open(program)
	if err != nil {
		return "", err
	}
	defer from.Close()
	to, err := os.CreateTemp("", "bootstrap-")
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(to, from); err != nil {
		return "", err
	}
	// While it is open for writing, it cannot be started.
	if err := to.Close(); err != nil {
		return "", err
	}
	return to.Name(), os.Chmod(to.Name(), 0o755)
}

func fail(err error) {
	os.Stderr.WriteString("the function cannot be started: " + err.Error() + "\n")
	os.Exit(1)
}

// Handler is never called: the build wants an exported function.
func Handler(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "the function has not been started", http.StatusInternalServerError)
}
