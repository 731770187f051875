// Command judge checks a transparency log with the packages that Go's own checksum database is audited with. It shares
// no line with the program that wrote the log.
//
//	judge log DIR KEY [OLDER]   checks the log in DIR, in the layout of C2SP tlog-tiles; KEY is a verifier key, OLDER a
//	                            file with an older checkpoint of the same log
//	judge sign                  reads a signing key on the first line of its input and signs the rest as a note
//
// It ends with 0 when everything holds, with 2 when something does not, and with 1 when it was called wrongly.
package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	var err error
	switch {
	case len(os.Args) >= 4 && len(os.Args) <= 5 && os.Args[1] == "log":
		err = judge(os.Args[2], os.Args[3], os.Args[4:])
	case len(os.Args) == 2 && os.Args[1] == "sign":
		err = sign()
	default:
		fmt.Fprintln(os.Stderr, "usage: judge log DIR KEY [OLDER] | judge sign")
		os.Exit(1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(2)
	}
}

// judge checks the checkpoint, the records, and that the log goes on from an older checkpoint.
func judge(dir, key string, older []string) error {
	tree, err := checkpoint(filepath.Join(dir, "checkpoint"), key)
	if err != nil {
		return err
	}
	if tree.N == 0 {
		if tree.Hash != tlog.Hash(sha256.Sum256(nil)) {
			return errors.New("the root of the empty tree is wrong")
		}
		fmt.Println("size 0")
		return nil
	}
	hashes := tlog.TileHashReader(tree, tiles{dir})
	root, err := tlog.TreeHash(tree.N, hashes)
	if err != nil {
		return err
	}
	if root != tree.Hash {
		return errors.New("the tiles have another root than the checkpoint")
	}
	if err := records(dir, tree, hashes); err != nil {
		return err
	}
	for _, file := range older {
		if err := growth(file, key, tree, hashes); err != nil {
			return err
		}
	}
	fmt.Println("size", tree.N)
	return nil
}

// checkpoint reads a note of three lines and checks its signature.
func checkpoint(file, key string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return tlog.Tree{}, err
	}
	bytes, err := os.ReadFile(file)
	if err != nil {
		return tlog.Tree{}, err
	}
	signed, err := note.Open(bytes, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() || lines[3] != "" {
		return tlog.Tree{}, errors.New("the checkpoint is not the origin, a size and a root")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[1] || size < 0 {
		return tlog.Tree{}, fmt.Errorf("%q is no size", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

// records checks all entries of a small log, and of a large one those at its ends and some between.
func records(dir string, tree tlog.Tree, hashes tlog.HashReader) error {
	var bundle [][]byte
	loaded := int64(-1)
	for index := int64(0); index < tree.N; index++ {
		if index > 600 && index < tree.N-600 && index%997 != 0 {
			continue
		}
		if index/256 != loaded {
			var err error
			loaded = index / 256
			if bundle, err = readBundle(dir, loaded, tree.N); err != nil {
				return err
			}
		}
		proof, err := tlog.ProveRecord(tree.N, index, hashes)
		if err != nil {
			return err
		}
		leaf := tlog.RecordHash(bundle[index%256])
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaf); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
	}
	return nil
}

// growth checks that the tree goes on from an older checkpoint.
func growth(file, key string, tree tlog.Tree, hashes tlog.HashReader) error {
	old, err := checkpoint(file, key)
	if err != nil {
		return err
	}
	if old.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

// readBundle reads the entries of a bundle, which must be as many as the size of the tree wants.
func readBundle(dir string, index, size int64) ([][]byte, error) {
	tile := tlog.Tile{H: 8, L: 0, N: index, W: 256}
	if index == size/256 {
		tile.W = int(size % 256)
	}
	path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
	bytes, err := os.ReadFile(filepath.Join(dir, path))
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(bytes) > 0 {
		if len(bytes) < 2 {
			return nil, fmt.Errorf("%s ends within a length", path)
		}
		length := int(bytes[0])<<8 | int(bytes[1])
		if len(bytes) < 2+length {
			return nil, fmt.Errorf("%s ends within an entry", path)
		}
		entries = append(entries, bytes[2:2+length])
		bytes = bytes[2+length:]
	}
	if len(entries) != tile.W {
		return nil, fmt.Errorf("%s has %d entries, not %d", path, len(entries), tile.W)
	}
	return entries, nil
}

// tiles reads tiles from files. C2SP leaves the height out of their paths.
type tiles struct{ dir string }

func (tiles) Height() int { return 8 }

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var read [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, err := os.ReadFile(filepath.Join(t.dir, path))
		if err != nil {
			return nil, err
		}
		read = append(read, bytes)
	}
	return read, nil
}

// sign shows that Go reads our signing keys: what it writes is checked by the test.
func sign() error {
	input := bufio.NewReader(os.Stdin)
	key, err := input.ReadString('\n')
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(strings.TrimSuffix(key, "\n"))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(input)
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: string(text)}, signer)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(signed)
	return err
}
