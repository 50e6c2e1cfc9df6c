"""Short trainings."""

SHORT = {
    "fnn": ("model=fnn/mlp", "trainer.max_epochs=3", "optim.ema=0.9", "model.dropout=0.2"),
    "cnn": ("model=cnn", "trainer.max_epochs=1", "trainer.limit_train_batches=10", "trainer.precision=32-true"),
    "rnn": ("model=rnn/lstm", "trainer.max_epochs=2", "model.width=16"),
}
