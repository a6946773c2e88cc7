// CoreDNS with the plugins the tests need: it forwards, caches, and says what went wrong.
//
// The whole CoreDNS links five cloud SDKs and takes minutes more to build; the server, the forwarder
// and the cache are the same code.
package main

import (
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
)

func main() {
	coremain.Run()
}
