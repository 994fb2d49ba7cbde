# The commands live in ./dev, which needs no make; `make X NAME=VALUE` is `./dev X` with that setting.
COMMANDS := help demo up down start stop status test faults bench bench-fleet bench-growth bench-copy bench-plots lint fuzz build proto install clean

.PHONY: $(COMMANDS)
help:

# ARGS is for `make test ARGS='--filter Wire'`. SECONDS as a variable bash would take for its own.
$(COMMANDS):
	@./dev $@ $(if $(SECONDS),SECONDS='$(SECONDS)') $(ARGS)

# An unknown name, so that ./dev can say what was probably meant.
.DEFAULT:
	@./dev $@
