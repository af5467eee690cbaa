"""The live lines of the waiting room: how a sale stands, to all who watch it, and to each where he stands."""
