"""Data-parallel training of a linear model with two processes that torchrun starts; rank 0 prints."""

import sys

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

lr, epochs = float(sys.argv[1]), int(sys.argv[2])
dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
rank = dist.get_rank()
device = torch.device("cuda", rank) if torch.cuda.is_available() else torch.device("cpu")
torch.manual_seed(0)
x = torch.randn(64, 8, device=device)
y = x.sum(1, keepdim=True)
model = DistributedDataParallel(torch.nn.Linear(8, 1).to(device))
optimizer = torch.optim.SGD(model.parameters(), lr=lr)
share = slice(rank, None, dist.get_world_size())
for epoch in range(1, epochs + 1):
    loss = ((model(x[share]) - y[share]) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if rank == 0:
        print(f"epoch {epoch} val_loss {((model.module(x) - y) ** 2).mean().item():.5f}")
dist.destroy_process_group()
