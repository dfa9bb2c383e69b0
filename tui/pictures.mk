.PHONY: pictures
pictures: build     ## docs/img, from the demo in a real terminal (root, tmux)
	mkdir -p docs/img
	tui/picture/take.sh $(BIN) docs/img
