#!/usr/bin/env bash
# Simulate a training on two machines with two network namespaces, each with its own address:
#     bash scripts/cluster/two_nodes.sh model=fnn/mlp run_dir=runs/two [any.key=value]
# Needs Linux with ip, nsenter and unshare, and root only if users may not create namespaces; then exits with 77.
set -euo pipefail

apart=(unshare --user --map-root-user --net)
if [ "${ZOO_NODES:-}" != inside ]; then
  if ! "${apart[@]}" ip link add veth type veth peer name other 2>/dev/null; then
    echo "network namespaces are not allowed here: run as root, or on a machine that allows them" >&2
    exit 77
  fi
  ZOO_NODES=inside exec "${apart[@]}" bash "$0" "$@"
fi

unshare --net sleep infinity & # the second machine
second=$!
trap 'kill $(jobs -p)' EXIT
until [ "$(readlink /proc/$second/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
on_second=(nsenter --target "$second" --net)

ip link add veth type veth peer name veth netns "$second" # the cable
ip address add 10.0.0.1/24 dev veth
"${on_second[@]}" ip address add 10.0.0.2/24 dev veth
for card in lo veth; do
  ip link set "$card" up
  "${on_second[@]}" ip link set "$card" up
done

export GLOO_SOCKET_IFNAME=veth
train=(
  --nnodes=2 --nproc-per-node=1 --master-addr=10.0.0.1 --master-port=29500
  "$(dirname "$0")/../train.py" trainer=ddp trainer.accelerator=cpu trainer.devices=1 trainer.num_nodes=2 "$@"
)
"${on_second[@]}" torchrun --node-rank=1 "${train[@]}" &
other=$!
torchrun --node-rank=0 "${train[@]}"
wait "$other"
