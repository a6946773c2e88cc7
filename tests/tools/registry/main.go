// The registry of the distribution project, which keeps what it is given on disk.
//
// The complete program also has the stores of three clouds, whose SDKs take minutes longer to build. The server and
// its log are the same code.
package main

import (
	"os"

	"github.com/distribution/distribution/v3/registry"

	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
)

func main() {
	if registry.RootCmd.Execute() != nil {
		os.Exit(1)
	}
}
